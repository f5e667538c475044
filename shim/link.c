/*
 * link NAME ADDRESS MASK BROADCAST GATEWAY: gives the interface of this network namespace its IPv4 address and default
 * route (none when GATEWAY is empty), and starts it; its IPv6 is off. What `ip` would do, without starting it for every
 * container.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "builtin.h"
#include "fd.h"

static int complain(const char *what) {
  dprintf(2, "%s: %s\n", what, strerror(errno));
  return 1;
}

static int read_address(const char *text, struct sockaddr *address) {
  struct sockaddr_in *in = (struct sockaddr_in *)address;
  in->sin_family = AF_INET;
  if (text != NULL && inet_pton(AF_INET, text, &in->sin_addr) == 1) return 0;
  errno = EINVAL;
  return -1;
}

/* A neighbour's router advertisement would configure it. Kernels without IPv6 have no such file. */
static int turn_ipv6_off(const char *name) {
  char path[64 + IFNAMSIZ];
  snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
  fd_scoped int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return errno == ENOENT ? 0 : -1;
  return write(file, "1", 1) == 1 ? 0 : -1;
}

static int set_address(int socket, struct ifreq *request, unsigned long what, const char *text) {
  if (read_address(text, &request->ifr_addr) < 0) return -1;
  return ioctl(socket, what, request);
}

static int add_default_route(int socket, char *name, const char *gateway) {
  struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY, .rt_dev = name};
  route.rt_dst.sa_family = AF_INET;
  route.rt_genmask.sa_family = AF_INET;
  if (read_address(gateway, &route.rt_gateway) < 0) return -1;
  return ioctl(socket, SIOCADDRT, &route);
}

int builtin_link(char **argv) {
  size_t given = 0;
  while (given < 5 && argv[given] != NULL) given++;
  if (given < 5 || strlen(argv[0]) >= IFNAMSIZ || strchr(argv[0], '/') != NULL) {
    errno = EINVAL;
    return complain("link");
  }
  fd_scoped int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (control < 0) return complain("socket");
  struct ifreq request = {0};
  strcpy(request.ifr_name, argv[0]);
  if (turn_ipv6_off(argv[0]) < 0) return complain("disable_ipv6");
  if (set_address(control, &request, SIOCSIFADDR, argv[1]) < 0) return complain("address");
  if (set_address(control, &request, SIOCSIFNETMASK, argv[2]) < 0) return complain("mask");
  if (set_address(control, &request, SIOCSIFBRDADDR, argv[3]) < 0) return complain("broadcast");
  if (ioctl(control, SIOCGIFFLAGS, &request) < 0) return complain("flags");
  request.ifr_flags |= IFF_UP;
  if (ioctl(control, SIOCSIFFLAGS, &request) < 0) return complain("up");
  if (argv[4][0] == '\0') return 0;
  return add_default_route(control, argv[0], argv[4]) < 0 ? complain("default route") : 0;
}
