/*
 * Connections of the container to its name server. A message stays in the kernel's buffer of its connection until all of
 * it is there and the stream has room, so a connection costs no memory of ours. They are watched edge-triggered: half a
 * message must not wake us again and again.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fd.h"
#include "loop.h"
#include "names.h"

#define CONNECTIONS 16u
#define IDLE_NS 10000000000u
#define TICK_NS 1000000000u
/* Messages of one connection, and connections, in one turn. */
#define TURN 32
/* Answers that a client has not read yet. */
#define UNREAD_MAX (256 << 10)
#define LENGTH 2u

struct connection {
  struct source source;
  uint32_t token; /* place and a count of all connections, so a late answer never reaches a stranger; 0: the place is free */
  uint32_t waiting;
  int awaited; /* bytes without which it need not wake us */
  bool ended;  /* it will send no more */
  uint64_t active_ns;
};

static struct source listener = {.fd = -1};
static struct connection connections[CONNECTIONS];
static uint32_t accepted;
static struct timer tick;

/* ---- one connection ---- */

static bool is_open(const struct connection *connection) {
  return connection->token != 0;
}

static void close_connection(struct connection *connection) {
  if (!is_open(connection)) return;
  int fd = connection->source.fd;
  loop_forget(&connection->source);
  fd_close(&fd);
  connection->token = 0;
}

/* Watched anew, it tells again what it has. */
static void watch_again(struct connection *connection) {
  loop_change(&connection->source, 0);
  if (loop_change(&connection->source, EPOLLIN | EPOLLRDHUP | EPOLLET) < 0) close_connection(connection);
}

/* The kernel makes its buffer large enough for what is awaited. */
static void await(struct connection *connection, int bytes) {
  if (connection->awaited == bytes) return;
  connection->awaited = bytes;
  (void)setsockopt(connection->source.fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

/* 1: the whole message is there, with its length in n; 0: not yet; -1: it never will be. */
static int look_at_message(struct connection *connection, size_t *n) {
  int fd = connection->source.fd;
  unsigned char head[LENGTH];
  ssize_t got = recv(fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT);
  if (got == 0) connection->ended = true;
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return -1;
  int there = 0;
  int wanted = 1;
  if (got == (ssize_t)LENGTH) {
    *n = (size_t)head[0] << 8 | head[1];
    wanted = (int)(LENGTH + *n);
    if (*n == 0 || ioctl(fd, FIONREAD, &there) != 0) return -1;
    if (there >= wanted) return 1;
  }
  if (connection->ended) return -1;
  await(connection, wanted);
  return 0;
}

/* 1: perhaps there are more; 0: for now there are not; -1: there will be no more. */
static int take_message(struct connection *connection, unsigned char *room) {
  size_t n;
  int result = look_at_message(connection, &n);
  if (result <= 0) return result;
  unsigned char head[LENGTH];
  struct iovec parts[] = {{head, sizeof head}, {room, n}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  if (recvmsg(connection->source.fd, &message, MSG_DONTWAIT) != (ssize_t)(LENGTH + n)) return -1;
  name_stream_put(TRANSPORT_TCP, connection->token, n);
  connection->waiting++;
  connection->active_ns = now_monotonic_ns();
  return 1;
}

static void on_connection(void *owner, uint32_t events) {
  struct connection *connection = owner;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) connection->ended = true;
  int result = 1;
  unsigned char *room;
  for (int turn = 0; turn < TURN && result == 1 && (room = name_stream_room()) != NULL; turn++)
    result = take_message(connection, room);
  bool may_still_read = connection->waiting > 0 && connection->ended;
  if (result < 0 && !may_still_read) close_connection(connection);
  name_stream_flush();
  /* Where there is no room, it is watched anew when there is. */
  if (result == 1 && is_open(connection) && name_stream_room() != NULL) watch_again(connection);
}

void name_clients_answer(uint32_t token, const unsigned char *message, size_t n) {
  struct connection *connection = &connections[token % CONNECTIONS];
  if (!is_open(connection) || connection->token != token || connection->waiting == 0) return;
  unsigned char head[LENGTH] = {(unsigned char)(n >> 8), (unsigned char)n};
  struct iovec parts[] = {{head, sizeof head}, {(void *)message, n}};
  struct msghdr answer = {.msg_iov = parts, .msg_iovlen = 2};
  ssize_t sent = sendmsg(connection->source.fd, &answer, MSG_DONTWAIT | MSG_NOSIGNAL);
  connection->waiting--;
  connection->active_ns = now_monotonic_ns();
  /* What it does not take it has not made room for by reading: it does not listen. */
  bool heard = sent == (ssize_t)(LENGTH + n);
  if (!heard || (connection->ended && connection->waiting == 0)) close_connection(connection);
}

/* ---- all of them ---- */

void name_clients_resume(void) {
  for (size_t i = 0; i < CONNECTIONS; i++)
    if (is_open(&connections[i])) watch_again(&connections[i]);
}

void name_clients_lost_stream(void) {
  for (size_t i = 0; i < CONNECTIONS; i++)
    if (connections[i].waiting > 0) close_connection(&connections[i]);
}

/* A free place, or that of the connection that has been idle for longest; NULL when all wait for an answer. */
static struct connection *find_place(void) {
  struct connection *oldest = NULL;
  for (size_t i = 0; i < CONNECTIONS; i++) {
    struct connection *connection = &connections[i];
    if (!is_open(connection)) return connection;
    if (connection->waiting == 0 && (oldest == NULL || connection->active_ns < oldest->active_ns)) oldest = connection;
  }
  if (oldest != NULL) close_connection(oldest);
  return oldest;
}

static void add_connection(int fd) {
  struct connection *place = find_place();
  if (place == NULL) {
    close(fd);
    return;
  }
  accepted = accepted % (UINT32_MAX / CONNECTIONS) + 1;
  uint32_t token = accepted * CONNECTIONS + (uint32_t)(place - connections);
  *place = (struct connection){.token = token, .awaited = 1, .active_ns = now_monotonic_ns()};
  place->source = (struct source){-1, 0, place, on_connection};
  if (loop_watch(&place->source, fd, EPOLLIN | EPOLLRDHUP | EPOLLET) < 0) close_connection(place);
  else if (!tick.linked) timer_set(&tick, TICK_NS);
}

static void on_tick(void *owner) {
  (void)owner;
  uint64_t now = now_monotonic_ns();
  bool some = false;
  for (size_t i = 0; i < CONNECTIONS; i++) {
    if (is_open(&connections[i]) && now - connections[i].active_ns > IDLE_NS) close_connection(&connections[i]);
    some |= is_open(&connections[i]);
  }
  loop_change(&listener, EPOLLIN);
  if (some) timer_set(&tick, TICK_NS);
}

static void on_connections(void *owner, uint32_t events) {
  (void)owner;
  (void)events;
  for (int turn = 0; turn < TURN; turn++) {
    int fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      add_connection(fd);
      continue;
    }
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
    /* Out of descriptors, or the container has had the socket destroyed: it would wake us without end. */
    loop_change(&listener, 0);
    timer_set(&tick, TICK_NS);
    return;
  }
}

int name_clients_open(int fd) {
  int most = UNREAD_MAX;
  (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &most, sizeof most); /* the connections inherit it */
  if (listen(fd, CONNECTIONS) != 0) return -errno;
  listener.ready = on_connections;
  tick.fire = on_tick;
  return loop_watch(&listener, fd, EPOLLIN);
}
