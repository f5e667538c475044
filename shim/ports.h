/*
 * The container's published ports, as sockets of the host's network that this process holds, so that no other program
 * gets them, for exactly as long as the container lives. Most packets never reach them: the firewall leads them to the
 * container before. What it cannot lead (to ::1, and from IPv6 to a container without it) does, and is relayed.
 *
 *   ports.c           holding, and where each one leads
 *   relay.c           connections (TCP)
 *   relaydatagrams.c  datagrams (UDP)
 *   hostnet.c         sockets in the host's network
 *
 * A port is said in words: `PROTOCOL ADDRESS PORT [ADDRESS PORT]`, the last two being the container's; without them
 * whoever gets through is sent away.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "loop.h"

struct failure;
struct request;

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

struct port {
  struct source source; /* fd -1: this kernel has no such sockets, so nobody else can have the port */
  int type;             /* SOCK_STREAM or SOCK_DGRAM */
  int protocol;
  union address host;
  bool relays;
  union address target;
};

/* Holds the ports that the request names, in place of what was held before: all of them, or none and -errno. `refused`
 * is the place of the one that could not be had. */
int ports_hold(const struct request *request, uint64_t *refused, struct failure *failure);
/* The loop is there: what comes is relayed from now on. */
int ports_watch(void);
/* Leads the held ports that the request names to where it says; what led elsewhere before ends. */
int ports_lead(const struct request *request, struct failure *failure);
/* Closes everything: the ports are free when it is back. */
void ports_close(void);
/* No descriptor is left: nothing is accepted for a while. */
void ports_pause(void);
socklen_t address_size(const union address *address);
/* A socket of the host's network that is on its way to the port's target, or -errno. */
int ports_connect(const struct port *port);
/* Who is told, once, that a client had to be turned away. */
void ports_on_full(void *owner, void (*tell)(void *owner));
void ports_tell_full(void);

/* ---- relay.c ---- */
void relay_accept(struct port *port);
/* Ends what goes through that port. */
void relay_end(const struct port *port);

/* ---- relaydatagrams.c ---- */
/* Prepares a socket that waits for datagrams: 0 or -errno. */
int datagrams_open(int fd, const union address *host);
void datagrams_take(struct port *port);
void datagrams_end(const struct port *port);
