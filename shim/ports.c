#include "ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"
#include "frame.h"
#include "hostnet.h"

#define WORD_MAX 64
#define BACKLOG 512
#define PAUSE_NS 1000000000u
/* Answers of socket() where a kernel has no such protocol. */
#define IS_UNKNOWN(error) ((error) == EPROTONOSUPPORT || (error) == ESOCKTNOSUPPORT)

static struct port *ports;
static size_t count;
static bool watching;
static struct timer pause_end;

static void *full_owner;
static void (*tell_full)(void *owner);

socklen_t address_size(const union address *address) {
  return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

/* ---- the words of a request ---- */

static bool read_address(const char *text, unsigned number, union address *address) {
  *address = (union address){0};
  if (number < 1 || number > 65535) return false;
  if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons((uint16_t)number);
    return true;
  }
  if (inet_pton(AF_INET6, text, &address->v6.sin6_addr) != 1) return false;
  address->v6.sin6_family = AF_INET6;
  address->v6.sin6_port = htons((uint16_t)number);
  return true;
}

static bool read_protocol(const char *name, struct port *port) {
  port->type = strcmp(name, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM;
  if (strcmp(name, "tcp") == 0) port->protocol = IPPROTO_TCP;
  else if (strcmp(name, "udp") == 0) port->protocol = IPPROTO_UDP;
  else if (strcmp(name, "sctp") == 0) port->protocol = IPPROTO_SCTP;
  else return false;
  return true;
}

static int read_port(const char *words, struct port *port) {
  char protocol[WORD_MAX];
  char host[WORD_MAX];
  char target[WORD_MAX];
  unsigned number;
  unsigned inside;
  *port = (struct port){.source = {.fd = -1}};
  int read = sscanf(words, "%63s %63s %u %63s %u", protocol, host, &number, target, &inside);
  if ((read != 3 && read != 5) || !read_protocol(protocol, port) || !read_address(host, number, &port->host)) return -EINVAL;
  if (read == 3) return 0;
  /* What comes by IPv4 the firewall leads, and SCTP nobody can relay by moving bytes. */
  if (!read_address(target, inside, &port->target) || port->host.any.sa_family != AF_INET6 || port->protocol == IPPROTO_SCTP)
    return -EINVAL;
  port->relays = true;
  return 0;
}

/* The request's ports in a list of ours, which the caller frees; NULL when they are not well formed. */
static struct port *read_ports(const struct request *request, size_t *n, struct failure *failure) {
  char **words = request_list(request, FIELD_PORT);
  *n = 0;
  while (words != NULL && words[*n] != NULL) ++*n;
  struct port *list = words == NULL ? NULL : calloc(*n + 1, sizeof *list);
  if (list == NULL) fail(failure, "port", ENOMEM, "ports");
  for (size_t i = 0; list != NULL && i < *n; i++) {
    if (read_port(words[i], &list[i]) == 0) continue;
    fail(failure, "request", EINVAL, "port %s", words[i]);
    free(list);
    list = NULL;
  }
  free(words);
  return list;
}

/* ---- holding ---- */

/* The kernel gives a port to nobody else only while its holder listens, however both of them have bound it. */
static int bind_port(struct port *port) {
  int on = 1;
  int family = port->host.any.sa_family;
  fd_scoped int fd = socket(family, port->type | SOCK_CLOEXEC | SOCK_NONBLOCK, port->protocol);
  if (fd < 0) return port->protocol == IPPROTO_SCTP && IS_UNKNOWN(errno) ? 0 : -errno;
  if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) return -errno;
  /* Connections of an earlier holder may still be in the kernel's memory. */
  if (port->type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return -errno;
  int result = port->type == SOCK_DGRAM ? datagrams_open(fd, &port->host) : 0;
  if (result < 0) return result;
  if (bind(fd, &port->host.any, address_size(&port->host)) != 0) return -errno;
  if (port->type == SOCK_STREAM && listen(fd, BACKLOG) != 0) return -errno;
  port->source.fd = fd_take(&fd);
  return 0;
}

static int bind_all(void *context) {
  uint64_t *place = context;
  for (*place = 0; *place < count; ++*place) {
    int result = bind_port(&ports[*place]);
    if (result < 0) return result;
  }
  return 0;
}

int ports_hold(const struct request *request, uint64_t *refused, struct failure *failure) {
  ports_close();
  *refused = 0;
  size_t given;
  ports = read_ports(request, &given, failure);
  if (ports == NULL) return -failure->error;
  count = given;
  int result = count == 0 ? 0 : hostnet_do(bind_all, refused);
  if (result == 0) return 0;
  ports_close();
  return fail(failure, "port", -result, "port");
}

void ports_close(void) {
  timer_stop(&pause_end);
  for (size_t i = 0; i < count; i++) {
    struct port *port = &ports[i];
    relay_end(port);
    datagrams_end(port);
    int fd = port->source.fd;
    if (watching) loop_forget(&port->source);
    fd_close(&fd);
  }
  free(ports);
  ports = NULL;
  count = 0;
}

/* ---- in the loop ---- */

static void on_port(void *owner, uint32_t events) {
  (void)events;
  struct port *port = owner;
  if (port->type == SOCK_DGRAM) datagrams_take(port);
  else relay_accept(port);
}

int ports_watch(void) {
  watching = true;
  for (size_t i = 0; i < count; i++) {
    struct port *port = &ports[i];
    int fd = port->source.fd;
    port->source = (struct source){-1, 0, port, on_port};
    int result = fd < 0 ? 0 : loop_watch(&port->source, fd, EPOLLIN);
    if (result < 0) return result;
  }
  return 0;
}

static void on_pause_end(void *owner) {
  (void)owner;
  for (size_t i = 0; i < count; i++) loop_change(&ports[i].source, EPOLLIN);
}

void ports_pause(void) {
  for (size_t i = 0; i < count; i++) loop_change(&ports[i].source, 0);
  pause_end.fire = on_pause_end;
  timer_set(&pause_end, PAUSE_NS);
}

void ports_on_full(void *owner, void (*tell)(void *owner)) {
  full_owner = owner;
  tell_full = tell;
}

void ports_tell_full(void) {
  if (tell_full != NULL) tell_full(full_owner);
  tell_full = NULL;
}

/* ---- where they lead ---- */

/* They are told in the order in which they were asked for: `guess` is its place, most likely. */
static struct port *find_held(const struct port *like, size_t guess) {
  for (size_t i = 0; i < count; i++) {
    struct port *port = &ports[(guess + i) % count];
    if (port->protocol == like->protocol && memcmp(&port->host, &like->host, sizeof like->host) == 0) return port;
  }
  return NULL;
}

static void lead(struct port *port, const struct port *like) {
  if (port->relays == like->relays && memcmp(&port->target, &like->target, sizeof like->target) == 0) return;
  /* The address that it led to may be another container's soon. */
  relay_end(port);
  datagrams_end(port);
  port->relays = like->relays;
  port->target = like->target;
}

int ports_lead(const struct request *request, struct failure *failure) {
  size_t n;
  struct port *wanted = read_ports(request, &n, failure);
  if (wanted == NULL) return -failure->error;
  for (size_t i = 0; i < n; i++) {
    struct port *port = find_held(&wanted[i], i);
    if (port != NULL) lead(port, &wanted[i]);
  }
  free(wanted);
  return 0;
}

static int make_socket(void *context) {
  const struct port *port = context;
  int fd = socket(port->target.any.sa_family, port->type | SOCK_CLOEXEC | SOCK_NONBLOCK, port->protocol);
  return fd < 0 ? -errno : fd;
}

int ports_connect(const struct port *port) {
  int made = hostnet_do(make_socket, (void *)port);
  if (made < 0) return made;
  fd_scoped int fd = made;
  if (connect(fd, &port->target.any, address_size(&port->target)) != 0 && errno != EINPROGRESS) return -errno;
  return fd_take(&fd);
}
