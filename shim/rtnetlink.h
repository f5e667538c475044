/* Messages of rtnetlink(7), one at a time, written by hand: what changes links, their addresses and routes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum rt_type { RT_NEW_LINK = 16, RT_DELETE_LINK = 17, RT_NEW_ADDRESS = 20, RT_NEW_ROUTE = 24 };
enum rt_flag { RT_REPLACE = 0x100, RT_EXCLUSIVE = 0x200, RT_CREATE = 0x400 };

/* One message on its way. What is written beyond its size is left out, and told when it is sent. */
struct rt_message {
  size_t length;
  int overflow;
  _Alignas(4) unsigned char bytes[2048];
};

/* Begins a message with the fixed part of its type (struct ifinfomsg and its like). */
void rt_begin(struct rt_message *message, uint16_t type, uint16_t flags, const void *fixed, size_t n);
void rt_put(struct rt_message *message, uint16_t type, const void *bytes, size_t n);
void rt_put_text(struct rt_message *message, uint16_t type, const char *text);
void rt_put_u32(struct rt_message *message, uint16_t type, uint32_t value);
void rt_put_u8(struct rt_message *message, uint16_t type, uint8_t value);
/* Opens an attribute that has others inside, or (with a fixed part first) another message's body; answers its place for rt_close. */
size_t rt_open(struct rt_message *message, uint16_t type, const void *fixed, size_t n);
void rt_close(struct rt_message *message, size_t place);

/* A socket to the kernel for the network namespace of this process, or -errno. */
int rt_socket(void);
/* Sends the message and waits for the kernel's word: 0 or -errno. */
int rt_send(struct rt_message *message, int socket);
