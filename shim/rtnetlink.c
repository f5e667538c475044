#include "rtnetlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fd.h"

/* linux/netlink.h: not all C libraries bring it. */
enum { NETLINK_OF_ROUTES = 0, NETLINK_ERROR = 2, FLAG_REQUEST = 1, FLAG_ACK = 4, NESTED = 0x8000 };

struct head {
  uint32_t length;
  uint16_t type, flags;
  uint32_t sequence, port;
};

struct attribute {
  uint16_t length, type;
};

static void append(struct rt_message *message, const void *bytes, size_t n) {
  size_t padded = (n + 3) & ~(size_t)3;
  if (message->length + padded > sizeof message->bytes) {
    message->overflow = 1;
    return;
  }
  memset(message->bytes + message->length, 0, padded);
  if (n > 0) memcpy(message->bytes + message->length, bytes, n);
  message->length += padded;
}

void rt_begin(struct rt_message *message, uint16_t type, uint16_t flags, const void *fixed, size_t n) {
  struct head head = {.type = type, .flags = (uint16_t)(flags | FLAG_REQUEST | FLAG_ACK)};
  message->length = 0;
  message->overflow = 0;
  append(message, &head, sizeof head);
  append(message, fixed, n);
}

void rt_put(struct rt_message *message, uint16_t type, const void *bytes, size_t n) {
  struct attribute head = {(uint16_t)(sizeof head + n), type};
  append(message, &head, sizeof head);
  append(message, bytes, n);
}

void rt_put_text(struct rt_message *message, uint16_t type, const char *text) {
  rt_put(message, type, text, strlen(text) + 1);
}

void rt_put_u32(struct rt_message *message, uint16_t type, uint32_t value) {
  rt_put(message, type, &value, sizeof value);
}

void rt_put_u8(struct rt_message *message, uint16_t type, uint8_t value) {
  rt_put(message, type, &value, sizeof value);
}

size_t rt_open(struct rt_message *message, uint16_t type, const void *fixed, size_t n) {
  size_t place = message->length;
  rt_put(message, type | NESTED, fixed, n);
  return place;
}

void rt_close(struct rt_message *message, size_t place) {
  uint16_t length = (uint16_t)(message->length - place);
  if (message->overflow == 0) memcpy(message->bytes + place, &length, sizeof length);
}

int rt_socket(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_OF_ROUTES);
  return fd < 0 ? -errno : fd;
}

/* The kernel has done it, and answered, when the send comes back. */
static int read_answer(int socket, uint32_t sequence) {
  for (;;) {
    struct {
      struct head head;
      int error;
      unsigned char rest[4096];
    } answer;
    ssize_t got = recv(socket, &answer, sizeof answer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    if ((size_t)got < sizeof answer.head + sizeof answer.error) return -EBADMSG;
    if (answer.head.type == NETLINK_ERROR && answer.head.sequence == sequence) return answer.error;
  }
}

int rt_send(struct rt_message *message, int socket) {
  static uint32_t sequence;
  if (message->overflow) return -EMSGSIZE;
  struct head head;
  memcpy(&head, message->bytes, sizeof head);
  head.length = (uint32_t)message->length;
  head.sequence = ++sequence;
  memcpy(message->bytes, &head, sizeof head);
  if (send(socket, message->bytes, message->length, 0) < 0) return -errno;
  return read_answer(socket, head.sequence);
}
