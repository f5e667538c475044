/*
 * The relay of DNS messages between a container and the host's resolver. The container asks 127.0.0.11, port 53; the
 * monitor, which is in the container's network namespace, listens there at other ports (the container may want 53 for
 * itself), to which firewall rules lead (natrule.h), and passes messages on over one unix stream. It parses no DNS.
 *
 * The stream: the monitor says `SLN1`, {u8 length, the container's id}; from then on both sides send records
 *   {u16 big-endian length of the message, u8 transport, u8 zero, u32 big-endian token, message}
 * and the resolver answers a record with one of the same transport and token.
 *
 *   names.c        opening, and what comes and goes by UDP
 *   nameclients.c  connections by TCP
 *   namestream.c   the stream to the resolver
 *
 * There is one relay in a process, and nothing of it is touched before the first query.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAMES_RECORD_HEAD 8u
#define NAMES_MESSAGE_MAX 65535u
#define NAMES_DATAGRAM_MAX 4096u
#define NAMES_ID_MAX 64u

enum transport { TRANSPORT_UDP = 0, TRANSPORT_TCP = 1 };

struct failure;

/* Where the container's own DNS messages are taken. The resolver need not be there yet. `socket_path` and `id` stay valid. */
int names_open(const char *socket_path, const char *id, struct failure *failure);

/* ---- names.c ---- */
/* The answer goes to the asker with that token, if it still waits. */
void names_answer(uint32_t token, const unsigned char *message, size_t n);
/* The stream has room again, or none any more. */
void names_room_changed(bool room);

/* ---- nameclients.c ---- */
/* Takes over a listening socket. */
int name_clients_open(int listener);
void name_clients_answer(uint32_t token, const unsigned char *message, size_t n);
/* The stream has room again. */
void name_clients_resume(void);
/* Those who wait will get no answer: they hear it at once. */
void name_clients_lost_stream(void);

/* ---- namestream.c ---- */
int name_stream_open(const char *socket_path, const char *id);
/* Where the next message is to be put, with room for the longest; NULL: nothing can be taken now. */
unsigned char *name_stream_room(void);
/* That message is a record of so many bytes now. */
void name_stream_put(enum transport transport, uint32_t token, size_t n);
/* Sends what has been put, connecting if need be; what cannot be sent because nobody is there is forgotten. */
void name_stream_flush(void);
