#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fd.h"
#include "frame.h"
#include "loop.h"
#include "names.h"

#define RECORD_MAX (NAMES_RECORD_HEAD + NAMES_MESSAGE_MAX)
#define OUT_MAX (2 * RECORD_MAX)
/* Bytes of answers in one turn, so that other things have theirs. */
#define READ_MOST 16384u

static void on_stream(void *owner, uint32_t events);

static struct source stream = {.fd = -1, .ready = on_stream};
static const char *path;
static const char *container_id;
/* Records yet to be sent, and what has come of the next one. The pages are made when they are first written. */
static unsigned char out[OUT_MAX];
static size_t out_sent, out_length;
static unsigned char in[RECORD_MAX];
static size_t in_length;
static bool has_room = true;

/* ---- connecting ---- */

/* By its folder, so that a long path is no matter. */
static int connect_to(int fd) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char folder[4096];
  const char *name = strrchr(path, '/') + 1;
  snprintf(folder, sizeof folder, "%.*s", (int)(name - path), path);
  fd_scoped int at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (at < 0) return -errno;
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", at, name);
  return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
}

static int greet(int fd) {
  char hello[5 + NAMES_ID_MAX + 1];
  int n = snprintf(hello, sizeof hello, "SLN1%c%s", (char)strlen(container_id), container_id);
  return send(fd, hello, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -EPIPE;
}

/* It never waits: a resolver that has no time for a connection is not there. */
static int connect_stream(void) {
  fd_scoped int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int result = connect_to(fd);
  if (result == 0) result = greet(fd);
  if (result == 0) result = loop_watch(&stream, fd, EPOLLIN);
  if (result < 0) loop_forget(&stream);
  else (void)fd_take(&fd);
  return result;
}

static void update_room(void) {
  bool room = OUT_MAX - (out_length - out_sent) >= RECORD_MAX;
  if (room == has_room) return;
  has_room = room;
  names_room_changed(room);
}

/* The next query connects anew; those of before are asked again by whoever still wants to know. */
static void lose_stream(void) {
  int fd = stream.fd;
  loop_forget(&stream);
  fd_close(&fd);
  out_sent = out_length = in_length = 0;
  name_clients_lost_stream();
  update_room();
}

/* ---- to the resolver ---- */

unsigned char *name_stream_room(void) {
  if (OUT_MAX - (out_length - out_sent) < RECORD_MAX) return NULL;
  if (OUT_MAX - out_length < RECORD_MAX) {
    out_length -= out_sent;
    memmove(out, out + out_sent, out_length);
    out_sent = 0;
  }
  return out + out_length + NAMES_RECORD_HEAD;
}

void name_stream_put(enum transport transport, uint32_t token, size_t n) {
  unsigned char *head = out + out_length;
  head[0] = (unsigned char)(n >> 8);
  head[1] = (unsigned char)n;
  head[2] = (unsigned char)transport;
  head[3] = 0;
  put_u32(head + 4, token);
  out_length += NAMES_RECORD_HEAD + n;
}

void name_stream_flush(void) {
  if (out_length > out_sent && stream.fd < 0 && connect_stream() < 0) {
    lose_stream();
    return;
  }
  while (out_length > out_sent) {
    ssize_t sent = send(stream.fd, out + out_sent, out_length - out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) {
      lose_stream();
      return;
    }
    out_sent += (size_t)sent;
  }
  if (out_sent == out_length) out_sent = out_length = 0;
  loop_change(&stream, out_length > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
  update_room();
}

/* ---- from the resolver ---- */

static void deliver(const unsigned char *head, size_t n) {
  uint32_t token = get_u32(head + 4);
  if (head[2] == TRANSPORT_UDP) names_answer(token, head + NAMES_RECORD_HEAD, n);
  else name_clients_answer(token, head + NAMES_RECORD_HEAD, n);
}

/* 1: the record is whole; 0: not yet; -EBADMSG: it is none. */
static int look_at_record(const unsigned char *head, size_t there, size_t *n) {
  if (there < NAMES_RECORD_HEAD) return 0;
  *n = (size_t)head[0] << 8 | head[1];
  if (*n == 0 || head[2] > TRANSPORT_TCP || head[3] != 0) return -EBADMSG;
  return there >= NAMES_RECORD_HEAD + *n;
}

static int read_answers(void) {
  size_t room = sizeof in - in_length;
  ssize_t got = recv(stream.fd, in + in_length, room < READ_MOST ? room : READ_MOST, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
  if (got == 0) return -EPIPE;
  in_length += (size_t)got;
  size_t at = 0;
  size_t n = 0;
  int result;
  while ((result = look_at_record(in + at, in_length - at, &n)) == 1) {
    deliver(in + at, n);
    at += NAMES_RECORD_HEAD + n;
  }
  in_length -= at;
  if (at > 0) memmove(in, in + at, in_length);
  return result;
}

static void on_stream(void *owner, uint32_t events) {
  (void)owner;
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && read_answers() < 0) lose_stream();
  else if (events & EPOLLOUT) name_stream_flush();
}

int name_stream_open(const char *socket_path, const char *id) {
  const char *slash = strrchr(socket_path, '/');
  /* "/proc/self/fd/" and a number before the name. */
  bool fits = slash != NULL && strlen(slash) < sizeof(((struct sockaddr_un *)0)->sun_path) - 26;
  if (*socket_path != '/' || strlen(socket_path) >= 4096) return -EINVAL;
  if (!fits) return -ENAMETOOLONG;
  if (strlen(id) > NAMES_ID_MAX) return -EINVAL;
  path = socket_path;
  container_id = id;
  return 0;
}
