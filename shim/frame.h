/* Frames and fields: encoding, decoding, and the streaming of input from a socket to a pipe. See protocol.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol.h"

void put_u32(unsigned char *at, uint32_t value);
void put_u64(unsigned char *at, uint64_t value);
uint32_t get_u32(const unsigned char *at);
uint64_t get_u64(const unsigned char *at);

/* Writes the head of a STDOUT or STDERR frame that carries n bytes. */
void frame_timed_head(unsigned char head[FRAME_TIMED_HEAD], uint8_t type, uint64_t time_ns, uint32_t n);

/* ---- requests: a received payload, cut into fields in place; every value is NUL-terminated ---- */

struct field {
  uint8_t tag;
  uint32_t length;
  char *value;
};

struct request {
  char *payload; /* owned */
  struct field *fields;
  size_t count;
};

#define request_scoped __attribute__((cleanup(request_free)))

/* Takes the payload (allocated with one spare byte; freed also on failure). -EBADMSG when it is not well formed. */
int request_parse(struct request *request, char *payload, uint32_t length);
void request_free(struct request *request);
/* The first value with that tag, or NULL. */
const char *request_text(const struct request *request, uint8_t tag);
bool request_has(const struct request *request, uint8_t tag);
uint64_t request_number(const struct request *request, uint8_t tag, uint64_t otherwise);
/* All values with that tag, ended by NULL, in an allocated array (the caller frees); NULL when memory is short. */
char **request_list(const struct request *request, uint8_t tag);

/* ---- replies: built on the stack, bounded ---- */

#define REPLY_MAX 10240u

struct reply {
  size_t length;
  bool overflow;
  unsigned char bytes[REPLY_MAX];
};

void reply_begin(struct reply *reply, uint8_t type);
void reply_number(struct reply *reply, uint8_t tag, uint64_t value);
void reply_text(struct reply *reply, uint8_t tag, const char *text);
/* Completes the length and sends it. A reader that does not take a few hundred bytes has gone wrong: -EAGAIN then. */
int reply_send(struct reply *reply, int fd);
/* Completes the length; the frame is then bytes[0..length). */
void reply_finish(struct reply *reply);
int send_plain(int fd, uint8_t type);

struct failure;
int send_failure(int fd, const struct failure *failure, int status);

/* Reads one whole frame from a blocking socket: 1, 0 at the end of the connection, or -errno. */
int frame_receive(int fd, uint8_t *type, char **payload, uint32_t *length, uint32_t max);

/* ---- inbound: frames from a non-blocking socket; STDIN bytes pass through without being stored ---- */

struct inbound {
  uint8_t head[FRAME_HEAD];
  uint8_t have;        /* bytes of the head that have come */
  bool streaming;      /* inside a STDIN frame */
  uint32_t remaining;  /* of the payload */
  uint32_t length;
  char *payload;       /* of a frame that is not STDIN */
};

enum inbound_result {
  INBOUND_CLOSED = 0,
  INBOUND_EMPTY = 1, /* nothing more for now */
  INBOUND_FRAME = 2, /* a whole frame: take it with inbound_take */
  INBOUND_INPUT = 3, /* STDIN bytes come: move them with inbound_move */
  INBOUND_FULL = 4,  /* only from inbound_move: the pipe takes no more for now */
};

/* Goes on reading; a negative errno means that the client must be dropped. */
int inbound_next(struct inbound *inbound, int fd, uint32_t max);
/* Moves STDIN bytes from the socket to the pipe (or to nowhere when it is -1); stops when one of them blocks. */
int inbound_move(struct inbound *inbound, int fd, int pipe);
uint8_t inbound_type(const struct inbound *inbound);
/* Hands over the payload of the frame that has come. */
char *inbound_take(struct inbound *inbound, uint32_t *length);
void inbound_free(struct inbound *inbound);

/* One scratch buffer for the whole process: whatever is read is passed on before anything else is read. */
extern unsigned char scratch[CHUNK_MAX];
