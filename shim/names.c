#include "names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"
#include "loop.h"
#include "natrule.h"

#define ADDRESS "127.0.0.11"
#define PORT 53
/* The last askers by UDP; whoever has not been answered after so many others asks again. */
#define ASKERS 256u
/* Datagrams in one turn, so that other things have theirs. */
#define TURN 64

struct asker {
  uint32_t token; /* it counts all queries, so a late answer never reaches a stranger */
  bool waits;
  in_port_t port;
  struct in_addr address;
};

static struct source udp = {.fd = -1};
static struct asker askers[ASKERS];
static uint32_t asked;

/* ---- queries and answers ---- */

static uint32_t remember(const struct sockaddr_in *from) {
  uint32_t token = asked++;
  askers[token % ASKERS] = (struct asker){.token = token, .waits = true, .port = from->sin_port, .address = from->sin_addr};
  return token;
}

static void on_queries(void *owner, uint32_t events) {
  (void)owner;
  (void)events;
  for (int turn = 0; turn < TURN; turn++) {
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    unsigned char *room = name_stream_room();
    if (room == NULL) break;
    ssize_t got = recvfrom(udp.fd, room, NAMES_DATAGRAM_MAX, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &size);
    if (got < 0) break;
    if (got > 0 && (size_t)got <= NAMES_DATAGRAM_MAX) name_stream_put(TRANSPORT_UDP, remember(&from), (size_t)got);
  }
  name_stream_flush();
}

void names_answer(uint32_t token, const unsigned char *message, size_t n) {
  struct asker *asker = &askers[token % ASKERS];
  if (!asker->waits || asker->token != token || n > NAMES_DATAGRAM_MAX) return;
  asker->waits = false;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = asker->port, .sin_addr = asker->address};
  /* What the socket does not take is lost, as datagrams are. */
  (void)sendto(udp.fd, message, n, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof to);
}

/* While there is no room nothing is read: the kernel keeps some queries, and drops the others. */
void names_room_changed(bool room) {
  loop_change(&udp, room ? EPOLLIN : 0);
  if (room) name_clients_resume();
}

/* ---- opening ---- */

/* A socket at our address and that port, or one that the kernel chooses: the port it has, or -errno. */
static int bind_one(int *fd, int type, in_port_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  socklen_t size = sizeof address;
  inet_pton(AF_INET, ADDRESS, &address.sin_addr);
  fd_scoped int made = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made < 0 || bind(made, (struct sockaddr *)&address, size) != 0) return -errno;
  if (getsockname(made, (struct sockaddr *)&address, &size) != 0) return -errno;
  *fd = fd_take(&made);
  return ntohs(address.sin_port);
}

struct sockets {
  int udp, tcp;
};

static void close_sockets(struct sockets *sockets) {
  fd_close(&sockets->udp);
  fd_close(&sockets->tcp);
}

static bool has_no_firewall(int error) {
  return error == -ENOENT || error == -EOPNOTSUPP || error == -EPROTONOSUPPORT || error == -EAFNOSUPPORT;
}

/* At ports of the kernel's choice, to which a rule leads. */
static int bind_aside(struct sockets *sockets) {
  int udp_port = bind_one(&sockets->udp, SOCK_DGRAM, 0);
  int tcp_port = udp_port < 0 ? udp_port : bind_one(&sockets->tcp, SOCK_STREAM, 0);
  return tcp_port < 0 ? tcp_port : nat_rule_set(inet_addr(ADDRESS), (uint16_t)udp_port, (uint16_t)tcp_port);
}

/* At the port that is asked, which the container then cannot have for itself at all addresses. */
static int bind_in_place(struct sockets *sockets) {
  close_sockets(sockets);
  int result = bind_one(&sockets->udp, SOCK_DGRAM, PORT);
  if (result >= 0) result = bind_one(&sockets->tcp, SOCK_STREAM, PORT);
  return result < 0 ? result : 0;
}

int names_open(const char *socket_path, const char *id, struct failure *failure) {
  __attribute__((cleanup(close_sockets))) struct sockets sockets = {-1, -1};
  int result = name_stream_open(socket_path, id);
  if (result < 0) return fail(failure, "request", -result, "the resolver's socket %s", socket_path);
  result = bind_aside(&sockets);
  const char *what = "the firewall rule for " ADDRESS;
  if (has_no_firewall(result)) {
    result = bind_in_place(&sockets);
    what = "listening at " ADDRESS ", as this kernel has no nftables for a rule,";
  }
  if (result == 0) result = name_clients_open(sockets.tcp);
  if (result < 0) return fail(failure, "network", -result, "the container's name server: %s", what);
  sockets.tcp = -1;
  udp.ready = on_queries;
  result = loop_watch(&udp, sockets.udp, EPOLLIN);
  if (result < 0) return fail(failure, "network", -result, "the container's name server");
  sockets.udp = -1;
  return 0;
}
