#include "frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"

unsigned char scratch[CHUNK_MAX];

void put_u32(unsigned char *at, uint32_t value) {
  for (int i = 3; i >= 0; i--, value >>= 8) at[i] = (unsigned char)value;
}

void put_u64(unsigned char *at, uint64_t value) {
  for (int i = 7; i >= 0; i--, value >>= 8) at[i] = (unsigned char)value;
}

uint32_t get_u32(const unsigned char *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

uint64_t get_u64(const unsigned char *at) {
  return (uint64_t)get_u32(at) << 32 | get_u32(at + 4);
}

void frame_timed_head(unsigned char head[FRAME_TIMED_HEAD], uint8_t type, uint64_t time_ns, uint32_t n) {
  put_u32(head, n + FRAME_TIMED_HEAD - 4);
  head[4] = type;
  put_u64(head + 5, time_ns);
}

/* ---- requests ---- */

static ssize_t count_fields(const unsigned char *bytes, uint32_t length) {
  ssize_t count = 0;
  for (uint32_t at = 0; at < length; count++) {
    if (length - at < 5) return -EBADMSG;
    uint32_t n = get_u32(bytes + at + 1);
    if (n > length - at - 5) return -EBADMSG;
    at += 5 + n;
  }
  return count;
}

int request_parse(struct request *request, char *payload, uint32_t length) {
  *request = (struct request){.payload = payload};
  unsigned char *bytes = (unsigned char *)payload;
  ssize_t count = count_fields(bytes, length);
  if (count < 0) {
    request_free(request);
    return (int)count;
  }
  request->fields = calloc((size_t)count + 1, sizeof *request->fields);
  if (request->fields == NULL) {
    request_free(request);
    return -ENOMEM;
  }
  for (uint32_t at = 0; at < length;) {
    struct field *field = &request->fields[request->count++];
    field->tag = bytes[at];
    field->length = get_u32(bytes + at + 1);
    field->value = payload + at + 5;
    bytes[at] = '\0'; /* the tag has been read: its byte ends the value before it */
    at += 5 + field->length;
  }
  payload[length] = '\0';
  for (size_t i = 0; i < request->count; i++) {
    const struct field *field = &request->fields[i];
    bool may_hold_nul = field->tag == FIELD_MOUNT || field->length == 8;
    if (!may_hold_nul && strlen(field->value) != field->length) {
      request_free(request);
      return -EBADMSG;
    }
  }
  return 0;
}

void request_free(struct request *request) {
  free(request->fields);
  free(request->payload);
  *request = (struct request){0};
}

static const struct field *find_field(const struct request *request, uint8_t tag) {
  for (size_t i = 0; i < request->count; i++)
    if (request->fields[i].tag == tag) return &request->fields[i];
  return NULL;
}

bool request_has(const struct request *request, uint8_t tag) {
  return find_field(request, tag) != NULL;
}

const char *request_text(const struct request *request, uint8_t tag) {
  const struct field *field = find_field(request, tag);
  return field == NULL ? NULL : field->value;
}

uint64_t request_number(const struct request *request, uint8_t tag, uint64_t otherwise) {
  const struct field *field = find_field(request, tag);
  if (field == NULL || field->length != 8) return otherwise;
  return get_u64((const unsigned char *)field->value);
}

char **request_list(const struct request *request, uint8_t tag) {
  char **list = calloc(request->count + 1, sizeof *list);
  if (list == NULL) return NULL;
  size_t count = 0;
  for (size_t i = 0; i < request->count; i++)
    if (request->fields[i].tag == tag) list[count++] = request->fields[i].value;
  return list;
}

/* ---- replies ---- */

void reply_begin(struct reply *reply, uint8_t type) {
  reply->length = FRAME_HEAD;
  reply->overflow = false;
  reply->bytes[4] = type;
}

static unsigned char *reply_field(struct reply *reply, uint8_t tag, size_t n) {
  if (n > REPLY_MAX - reply->length - 5) {
    reply->overflow = true;
    return NULL;
  }
  unsigned char *at = reply->bytes + reply->length;
  at[0] = tag;
  put_u32(at + 1, (uint32_t)n);
  reply->length += 5 + n;
  return at + 5;
}

void reply_number(struct reply *reply, uint8_t tag, uint64_t value) {
  unsigned char *at = reply_field(reply, tag, 8);
  if (at != NULL) put_u64(at, value);
}

void reply_text(struct reply *reply, uint8_t tag, const char *text) {
  size_t n = strlen(text);
  unsigned char *at = reply_field(reply, tag, n);
  if (at != NULL) memcpy(at, text, n);
}

void reply_finish(struct reply *reply) {
  put_u32(reply->bytes, (uint32_t)(reply->length - 4));
}

int reply_send(struct reply *reply, int fd) {
  if (reply->overflow) return -EMSGSIZE;
  reply_finish(reply);
  ssize_t sent = send(fd, reply->bytes, reply->length, MSG_NOSIGNAL);
  if (sent < 0) return -errno;
  return (size_t)sent == reply->length ? 0 : -EAGAIN;
}

int send_plain(int fd, uint8_t type) {
  struct reply reply;
  reply_begin(&reply, type);
  return reply_send(&reply, fd);
}

int send_failure(int fd, const struct failure *failure, int status) {
  struct reply reply;
  reply_begin(&reply, FRAME_FAILED);
  reply_text(&reply, FIELD_STAGE, failure->stage);
  reply_number(&reply, FIELD_ERRNO, (uint64_t)(failure->error < 0 ? 0 : failure->error));
  if (status >= 0) reply_number(&reply, FIELD_STATUS, (uint64_t)status);
  reply_text(&reply, FIELD_TEXT, failure->text);
  return reply_send(&reply, fd);
}

int frame_receive(int fd, uint8_t *type, char **payload, uint32_t *length, uint32_t max) {
  unsigned char head[FRAME_HEAD];
  ssize_t got = fd_read_exactly(fd, head, sizeof head);
  if (got <= 0) return (int)got;
  uint32_t rest = get_u32(head);
  if (rest < 1 || rest > max) return -EMSGSIZE;
  *type = head[4];
  *length = rest - 1;
  *payload = malloc((size_t)*length + 1);
  if (*payload == NULL) return -ENOMEM;
  if (*length == 0) return 1;
  got = fd_read_exactly(fd, *payload, *length);
  if (got > 0) return 1;
  free(*payload);
  *payload = NULL;
  return (int)got;
}

/* ---- inbound ---- */

/* 1 when n bytes came, else an inbound_result or a negative errno. */
static int receive(int fd, void *buffer, size_t n, size_t *got) {
  for (;;) {
    ssize_t result = recv(fd, buffer, n, MSG_DONTWAIT);
    if (result > 0) {
      *got = (size_t)result;
      return 1;
    }
    *got = 0;
    if (result == 0) return INBOUND_CLOSED;
    if (errno == EAGAIN) return -EAGAIN;
    if (errno == ECONNRESET) return INBOUND_CLOSED;
    if (errno != EINTR) return -errno;
  }
}

static int begin_payload(struct inbound *inbound, uint32_t max) {
  uint32_t rest = get_u32(inbound->head);
  if (rest < 1 || rest > max) return -EMSGSIZE;
  inbound->length = inbound->remaining = rest - 1;
  inbound->streaming = inbound->head[4] == FRAME_STDIN;
  if (inbound->streaming) return 0;
  inbound->payload = malloc((size_t)inbound->length + 1);
  return inbound->payload == NULL ? -ENOMEM : 0;
}

int inbound_next(struct inbound *inbound, int fd, uint32_t max) {
  for (;;) {
    size_t got = 0;
    if (inbound->have < FRAME_HEAD) {
      int result = receive(fd, inbound->head + inbound->have, FRAME_HEAD - inbound->have, &got);
      if (result != 1) return result == -EAGAIN ? INBOUND_EMPTY : result;
      inbound->have = (uint8_t)(inbound->have + got);
      if (inbound->have < FRAME_HEAD) continue;
      result = begin_payload(inbound, max);
      if (result < 0) return result;
    }
    if (inbound->streaming && inbound->remaining > 0) return INBOUND_INPUT;
    if (inbound->streaming) {
      inbound->have = 0;
      inbound->streaming = false;
      continue;
    }
    if (inbound->remaining == 0) return INBOUND_FRAME;
    int result = receive(fd, inbound->payload + (inbound->length - inbound->remaining), inbound->remaining, &got);
    if (result != 1) return result == -EAGAIN ? INBOUND_EMPTY : result;
    inbound->remaining -= (uint32_t)got;
  }
}

int inbound_move(struct inbound *inbound, int fd, int pipe) {
  while (inbound->remaining > 0) {
    size_t want = inbound->remaining < sizeof scratch ? inbound->remaining : sizeof scratch;
    ssize_t peeked = recv(fd, scratch, want, MSG_PEEK | MSG_DONTWAIT);
    if (peeked == 0) return INBOUND_CLOSED;
    if (peeked < 0 && errno == EINTR) continue;
    if (peeked < 0) return errno == EAGAIN ? INBOUND_EMPTY : errno == ECONNRESET ? INBOUND_CLOSED : -errno;
    ssize_t taken = pipe < 0 ? peeked : write(pipe, scratch, (size_t)peeked);
    if (taken < 0 && errno == EINTR) continue;
    if (taken < 0 && errno == EAGAIN) return INBOUND_FULL;
    if (taken < 0) taken = peeked; /* the reader is gone: its input goes nowhere, as with any closed pipe */
    /* The bytes are there: this read cannot come back short. */
    size_t got = 0;
    for (size_t left = (size_t)taken; left > 0; left -= got) {
      int result = receive(fd, scratch, left, &got);
      if (result != 1) return result;
    }
    inbound->remaining -= (uint32_t)taken;
  }
  return INBOUND_INPUT;
}

uint8_t inbound_type(const struct inbound *inbound) {
  return inbound->head[4];
}

char *inbound_take(struct inbound *inbound, uint32_t *length) {
  char *payload = inbound->payload;
  *length = inbound->length;
  inbound->payload = NULL;
  inbound->have = 0;
  return payload;
}

void inbound_free(struct inbound *inbound) {
  free(inbound->payload);
  *inbound = (struct inbound){0};
}
