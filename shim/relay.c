/*
 * Connections to published ports that the firewall cannot lead. Bytes stay in the kernel's buffer of whoever sent them
 * until the other side takes them: they are peeked at, sent, and only then what was sent is thrown away. So a connection
 * costs no memory of ours, and a slow reader slows its writer down.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fd.h"
#include "frame.h"
#include "loop.h"
#include "ports.h"

#define RELAYS 1024u
/* Connections that are accepted in one turn, so that other things have theirs. */
#define TURN 32
/* Peers that vanish without a word are noticed after about two minutes. */
#define KEEP_IDLE_S 60
#define KEEP_INTERVAL_S 15
#define KEEP_PROBES 4
/* No socket ever reports it: who is watched for it alone still tells of errors and of its end. */
#define EPOLL_NOTHING EPOLLMSG

struct relay;

struct side {
  struct source source;
  struct relay *relay;
  bool ended;   /* it sends no more, and the other one knows */
  bool waiting; /* it has sent what the other one does not take now */
  bool hung;    /* both directions are through for its kernel: it would tell so without end */
};

struct relay {
  const struct port *port; /* NULL: the place is free */
  bool connecting;
  struct side client, server;
};

static struct relay relays[RELAYS];
static size_t next_place;
static size_t open_relays;

/* ---- one connection ---- */

static void close_side(struct side *side, bool reset) {
  int fd = side->source.fd;
  struct linger now = {.l_onoff = 1};
  if (fd >= 0 && reset) (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  loop_forget(&side->source);
  fd_close(&fd);
}

static void close_relay(struct relay *relay, bool reset) {
  close_side(&relay->client, reset);
  close_side(&relay->server, reset);
  relay->port = NULL;
  open_relays--;
}

static struct side *other_of(struct side *side) {
  return side == &side->relay->client ? &side->relay->server : &side->relay->client;
}

/* Passes on what has come: 0, or -errno when the connection is broken. */
static int pass(struct side *from, struct side *to) {
  from->waiting = false;
  ssize_t got = recv(from->source.fd, scratch, sizeof scratch, MSG_PEEK | MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
  if (got == 0) {
    from->ended = true;
    return shutdown(to->source.fd, SHUT_WR) == 0 ? 0 : -errno;
  }
  ssize_t put = send(to->source.fd, scratch, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (put < 0 && errno != EAGAIN && errno != EINTR) return -errno;
  from->waiting = put < got;
  if (put > 0 && recv(from->source.fd, scratch, (size_t)put, MSG_TRUNC | MSG_DONTWAIT) != put) return -EIO;
  return 0;
}

static int watch_side(struct side *side) {
  uint32_t events = 0;
  bool connecting = side->relay->connecting;
  if (!connecting && !side->ended && !side->waiting) events |= EPOLLIN;
  if (other_of(side)->waiting || (connecting && side == &side->relay->server)) events |= EPOLLOUT;
  if (events == 0 && !side->hung) events = EPOLL_NOTHING;
  return loop_change(&side->source, events);
}

static int take_turn(struct side *side, uint32_t events) {
  struct side *other = other_of(side);
  if (events & EPOLLERR) return -ECONNRESET;
  if (side->relay->connecting) {
    if (events & EPOLLHUP) return -ECONNRESET;
    if (side == &side->relay->server) side->relay->connecting = false;
    return 0;
  }
  int result = events & EPOLLOUT && other->waiting ? pass(other, side) : 0;
  if (result == 0 && events & (EPOLLIN | EPOLLHUP) && !side->ended && !side->waiting) result = pass(side, other);
  side->hung = (events & EPOLLHUP) != 0;
  return result;
}

static void on_side(void *owner, uint32_t events) {
  struct side *side = owner;
  struct relay *relay = side->relay;
  int result = take_turn(side, events);
  bool over = relay->client.ended && relay->server.ended;
  if (result == 0 && !over) result = watch_side(side);
  if (result == 0 && !over) result = watch_side(other_of(side));
  if (result < 0 || over) close_relay(relay, result < 0);
}

/* ---- all of them ---- */

static struct relay *find_place(void) {
  for (size_t i = 0; i < RELAYS; i++) {
    struct relay *relay = &relays[(next_place + i) % RELAYS];
    if (relay->port != NULL) continue;
    next_place = (size_t)(relay - relays + 1) % RELAYS;
    return relay;
  }
  return NULL;
}

static int set_options(int fd) {
  static const struct {
    int level, name, value;
  } options[] = {
      {IPPROTO_TCP, TCP_NODELAY, 1}, /* whoever wants to gather bytes has done so */
      {SOL_SOCKET, SO_OOBINLINE, 1}, /* an urgent byte is a byte, which keeps peeking and taking in step */
      {SOL_SOCKET, SO_KEEPALIVE, 1},
      {IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S},
      {IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S},
      {IPPROTO_TCP, TCP_KEEPCNT, KEEP_PROBES},
  };
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int)) != 0) return -errno;
  return 0;
}

static int begin_side(struct relay *relay, struct side *side, int fd, uint32_t events) {
  *side = (struct side){.source = {-1, 0, side, on_side}, .relay = relay};
  int result = loop_watch(&side->source, fd, events);
  return result < 0 ? result : set_options(fd);
}

/* Takes the client over; 0, or -errno when it has been sent away. */
static int begin(struct port *port, int client) {
  struct relay *relay = find_place();
  int server = relay == NULL ? -EUSERS : port->relays ? ports_connect(port) : -ECONNREFUSED;
  if (relay == NULL) ports_tell_full();
  if (relay == NULL || server < 0) {
    struct side away = {.source = {.fd = client}};
    close_side(&away, true);
    return server;
  }
  *relay = (struct relay){.port = port, .connecting = true};
  open_relays++;
  int result = begin_side(relay, &relay->client, client, EPOLL_NOTHING);
  int other = begin_side(relay, &relay->server, server, EPOLLOUT);
  if (result < 0 || other < 0) close_relay(relay, true);
  return result < 0 ? result : other;
}

void relay_accept(struct port *port) {
  for (int turn = 0; turn < TURN; turn++) {
    int fd = accept4(port->source.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) ports_pause();
    if (fd < 0) return;
    (void)begin(port, fd);
  }
}

void relay_end(const struct port *port) {
  for (size_t i = 0; open_relays > 0 && i < RELAYS; i++)
    if (relays[i].port == port) close_relay(&relays[i], true);
}
