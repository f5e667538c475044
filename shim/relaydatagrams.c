/*
 * Datagrams to published ports that the firewall cannot lead. Each client has a socket of its own towards the container,
 * for as long as the kernel's connection tracking would remember it. An answer leaves from the address that was asked.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fd.h"
#include "frame.h"
#include "ports.h"

#define FLOWS 1024u
#define IDLE_NS 30000000000u
#define IDLE_ANSWERED_NS 120000000000u
#define TICK_NS 5000000000u
/* Datagrams in one turn, so that other things have theirs. */
#define TURN 64

struct flow {
  struct source source;
  const struct port *port; /* NULL: the place is free */
  struct sockaddr_in6 client;
  struct in6_pktinfo asked; /* our address and interface, as the client has them */
  bool answered;
  uint64_t active_ns;
};

static struct flow flows[FLOWS];
static size_t used; /* all places behind it are free */
static struct timer tick;

int datagrams_open(int fd, const union address *host) {
  int on = 1;
  if (host->any.sa_family != AF_INET6) return 0;
  return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) == 0 ? 0 : -errno;
}

static void end_flow(struct flow *flow) {
  int fd = flow->source.fd;
  loop_forget(&flow->source);
  fd_close(&fd);
  flow->port = NULL;
  while (used > 0 && flows[used - 1].port == NULL) used--;
}

/* ---- answers ---- */

static void send_answer(const struct flow *flow, size_t n) {
  union {
    struct cmsghdr head;
    unsigned char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
  } control = {0};
  struct iovec bytes = {scratch, n};
  struct msghdr message = {.msg_name = (void *)&flow->client, .msg_namelen = sizeof flow->client, .msg_iov = &bytes,
                           .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
  control.head.cmsg_level = IPPROTO_IPV6;
  control.head.cmsg_type = IPV6_PKTINFO;
  control.head.cmsg_len = CMSG_LEN(sizeof flow->asked);
  memcpy(CMSG_DATA(&control.head), &flow->asked, sizeof flow->asked);
  /* What the socket does not take is lost, as datagrams are. */
  (void)sendmsg(flow->port->source.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_answers(void *owner, uint32_t events) {
  (void)events;
  struct flow *flow = owner;
  for (int turn = 0; turn < TURN; turn++) {
    ssize_t got = recv(flow->source.fd, scratch, sizeof scratch, MSG_DONTWAIT);
    if (got < 0) return; /* also when the container says that nobody is there */
    flow->answered = true;
    flow->active_ns = now_monotonic_ns();
    send_answer(flow, (size_t)got);
  }
}

/* ---- questions ---- */

static void on_tick(void *owner) {
  (void)owner;
  uint64_t now = now_monotonic_ns();
  for (size_t i = used; i > 0; i--) {
    struct flow *flow = &flows[i - 1];
    uint64_t limit = flow->answered ? IDLE_ANSWERED_NS : IDLE_NS;
    if (flow->port != NULL && now - flow->active_ns > limit) end_flow(flow);
  }
  if (used > 0) timer_set(&tick, TICK_NS);
}

static bool is_of(const struct flow *flow, const struct port *port, const struct sockaddr_in6 *client, const struct in6_pktinfo *asked) {
  return flow->port == port && flow->client.sin6_port == client->sin6_port &&
         memcmp(&flow->client.sin6_addr, &client->sin6_addr, sizeof client->sin6_addr) == 0 &&
         flow->client.sin6_scope_id == client->sin6_scope_id &&
         memcmp(&flow->asked.ipi6_addr, &asked->ipi6_addr, sizeof asked->ipi6_addr) == 0;
}

/* A free place, or that of the client that has been silent for longest. */
static struct flow *find_place(void) {
  struct flow *oldest = &flows[0];
  for (size_t i = 0; i < FLOWS; i++) {
    if (flows[i].port == NULL) return &flows[i];
    if (flows[i].active_ns < oldest->active_ns) oldest = &flows[i];
  }
  end_flow(oldest);
  return oldest;
}

static struct flow *begin_flow(const struct port *port, const struct sockaddr_in6 *client, const struct in6_pktinfo *asked) {
  int fd = ports_connect(port);
  if (fd < 0) return NULL;
  struct flow *flow = find_place();
  *flow = (struct flow){.source = {-1, 0, flow, on_answers}, .port = port, .client = *client, .asked = *asked};
  if ((size_t)(flow - flows) >= used) used = (size_t)(flow - flows) + 1;
  /* Set once: what it names is ours, whatever way the answer takes. Of a link-local address the interface counts too. */
  if (!IN6_IS_ADDR_LINKLOCAL(&asked->ipi6_addr)) flow->asked.ipi6_ifindex = 0;
  if (loop_watch(&flow->source, fd, EPOLLIN) < 0) {
    flow->source.fd = fd;
    end_flow(flow);
    return NULL;
  }
  if (!tick.linked) {
    tick.fire = on_tick;
    timer_set(&tick, TICK_NS);
  }
  return flow;
}

static struct flow *flow_of(const struct port *port, const struct sockaddr_in6 *client, const struct in6_pktinfo *asked) {
  for (size_t i = 0; i < used; i++)
    if (is_of(&flows[i], port, client, asked)) return &flows[i];
  return begin_flow(port, client, asked);
}

/* One datagram into scratch, with who sent it to which address; -errno when there is none. */
static ssize_t receive(int fd, struct sockaddr_in6 *client, struct in6_pktinfo *asked) {
  union {
    struct cmsghdr head;
    unsigned char room[256];
  } control;
  struct iovec bytes = {scratch, sizeof scratch};
  struct msghdr message = {.msg_name = client, .msg_namelen = sizeof *client, .msg_iov = &bytes, .msg_iovlen = 1,
                           .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
  if (got < 0) return -errno;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part != NULL; part = CMSG_NXTHDR(&message, part))
    if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) memcpy(asked, CMSG_DATA(part), sizeof *asked);
  return got;
}

void datagrams_take(struct port *port) {
  for (int turn = 0; turn < TURN; turn++) {
    struct sockaddr_in6 client = {0};
    struct in6_pktinfo asked = {0};
    ssize_t got = receive(port->source.fd, &client, &asked);
    if (got < 0) return;
    struct flow *flow = port->relays ? flow_of(port, &client, &asked) : NULL;
    if (flow == NULL) continue;
    flow->active_ns = now_monotonic_ns();
    (void)send(flow->source.fd, scratch, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

void datagrams_end(const struct port *port) {
  for (size_t i = used; i > 0; i--)
    if (flows[i - 1].port == port) end_flow(&flows[i - 1]);
}
