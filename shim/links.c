/*
 * FRAME_LINKS: changes links as its lines say, one frame after the other on one connection, without starting `ip` for
 * each. Beside the lines of linkwords.h there are
 *
 *   netns PATH          what follows in this frame happens in that network namespace
 *   sysctl KEY=VALUE    a kernel setting, slashes in its key; one that this kernel does not have is passed over
 *
 * The first line that fails ends the frame, unless EACH asks to go on (past a namespace that is gone it never does); what
 * was done before it stays done.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail.h"
#include "fd.h"
#include "frame.h"
#include "handler.h"
#include "linkwords.h"
#include "rtnetlink.h"
#include "title.h"

/* linux/if_link.h, if_addr.h, rtnetlink.h, veth.h */
enum { LINK_MAC = 1, LINK_NAME = 3, LINK_MTU = 4, LINK_MASTER = 10, LINK_INFO = 18, LINK_NETNS_PID = 19, LINK_ALIAS = 20, LINK_FAMILIES = 26 };
enum { INFO_KIND = 1, INFO_DATA = 2, INFO_PORT_KIND = 4, INFO_PORT_DATA = 5, VETH_PEER = 1, PORT_HAIRPIN = 4, PORT_ISOLATED = 33 };
enum { FAMILY_ADDRESS_MODE = 8, ADDRESS_MODE_NONE = 1 };
enum { ADDRESS_PEER = 1, ADDRESS_LOCAL = 2, ADDRESS_BROADCAST = 4, ADDRESS_NO_DUPLICATE_CHECK = 2 };
enum { ROUTE_LINK = 4, ROUTE_GATEWAY = 5, TABLE_MAIN = 254, PROTOCOL_BOOT = 3, SCOPE_LINK = 253, ROUTE_UNICAST = 1 };

struct link_head {
  uint8_t family, pad;
  uint16_t type;
  int32_t index;
  uint32_t flags, changed;
};

struct address_head {
  uint8_t family, prefix_length, flags, scope;
  uint32_t index;
};

struct route_head {
  uint8_t family, target_length, source_length, service, table, protocol, scope, type;
  uint32_t flags;
};

/* Where lines happen: the host's network, or for a while another; each has a socket to the kernel. */
struct place {
  int host, host_socket;
  bool away;
  int away_socket;
};

/* ---- one change ---- */

static int put_end(struct rt_message *message, const struct link_end *end) {
  if (end->name != NULL && strlen(end->name) >= IFNAMSIZ) return -EINVAL;
  if (end->name != NULL) rt_put_text(message, LINK_NAME, end->name);
  if (end->mtu != 0) rt_put_u32(message, LINK_MTU, end->mtu);
  if (end->netns != 0) rt_put_u32(message, LINK_NETNS_PID, end->netns);
  if (end->mac == NULL) return 0;
  unsigned char mac[6];
  char more;
  if (sscanf(end->mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5, &more) != 6) return -EINVAL;
  rt_put(message, LINK_MAC, mac, sizeof mac);
  return 0;
}

static int put_kind(struct rt_message *message, const struct link_change *change) {
  if (change->kind == NULL) return 0;
  size_t info = rt_open(message, LINK_INFO, NULL, 0);
  if (strcmp(change->kind, "bridge_slave") == 0) {
    rt_put_text(message, INFO_PORT_KIND, "bridge");
    size_t data = rt_open(message, INFO_PORT_DATA, NULL, 0);
    if (change->hairpin) rt_put_u8(message, PORT_HAIRPIN, 1);
    if (change->isolated) rt_put_u8(message, PORT_ISOLATED, 1);
    rt_close(message, data);
  } else {
    rt_put_text(message, INFO_KIND, change->kind);
  }
  int result = 0;
  if (change->peer.name != NULL) {
    struct link_head head = {0};
    size_t data = rt_open(message, INFO_DATA, NULL, 0);
    size_t peer = rt_open(message, VETH_PEER, &head, sizeof head);
    result = put_end(message, &change->peer);
    rt_close(message, peer);
    rt_close(message, data);
  }
  rt_close(message, info);
  return result;
}

static int change_link(const struct link_change *change, int socket) {
  static const uint16_t flags[] = {[LINK_ADD] = RT_CREATE | RT_EXCLUSIVE, [LINK_SET] = 0, [LINK_DELETE] = 0};
  struct link_head head = {.flags = change->up ? IFF_UP : 0, .changed = change->up ? IFF_UP : 0};
  struct rt_message message;
  rt_begin(&message, change->verb == LINK_DELETE ? RT_DELETE_LINK : RT_NEW_LINK, flags[change->verb], &head, sizeof head);
  int result = put_end(&message, &change->link);
  if (result < 0) return result;
  if (change->master != NULL) {
    unsigned master = if_nametoindex(change->master);
    if (master == 0) return -errno;
    rt_put_u32(&message, LINK_MASTER, master);
  }
  if (change->alias != NULL) rt_put(&message, LINK_ALIAS, change->alias, strlen(change->alias));
  if (change->no_generated_address) {
    size_t families = rt_open(&message, LINK_FAMILIES, NULL, 0);
    size_t family = rt_open(&message, AF_INET6, NULL, 0);
    rt_put_u8(&message, FAMILY_ADDRESS_MODE, ADDRESS_MODE_NONE);
    rt_close(&message, family);
    rt_close(&message, families);
  }
  result = put_kind(&message, change);
  return result < 0 ? result : rt_send(&message, socket);
}

/* An address of either family, with its length behind a slash where `length` is asked for; its bytes or -EINVAL. */
static int read_address(const char *text, uint8_t *family, unsigned char bytes[16], uint8_t *length) {
  char copy[INET6_ADDRSTRLEN + 4];
  if (strlen(text) >= sizeof copy) return -EINVAL;
  strcpy(copy, text);
  char *slash = strchr(copy, '/');
  if ((slash == NULL) != (length == NULL)) return -EINVAL;
  if (slash != NULL) {
    *slash = '\0';
    char *end;
    unsigned long number = strtoul(slash + 1, &end, 10);
    if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || number > 128) return -EINVAL;
    *length = (uint8_t)number;
  }
  *family = strchr(copy, ':') == NULL ? AF_INET : AF_INET6;
  if (inet_pton(*family, copy, bytes) != 1) return -EINVAL;
  return *family == AF_INET ? 4 : 16;
}

static int change_address(const struct link_change *change, int socket) {
  unsigned char bytes[16];
  struct address_head head = {.flags = change->no_duplicate_check ? ADDRESS_NO_DUPLICATE_CHECK : 0, .index = if_nametoindex(change->link.name)};
  if (head.index == 0) return -errno;
  int size = read_address(change->address, &head.family, bytes, &head.prefix_length);
  if (size < 0) return size;
  struct rt_message message;
  rt_begin(&message, RT_NEW_ADDRESS, RT_CREATE | (change->verb == ADDRESS_ADD ? RT_EXCLUSIVE : RT_REPLACE), &head, sizeof head);
  rt_put(&message, ADDRESS_LOCAL, bytes, (size_t)size);
  rt_put(&message, ADDRESS_PEER, bytes, (size_t)size);
  if (change->broadcast != NULL) {
    uint8_t family;
    if (read_address(change->broadcast, &family, bytes, NULL) != size) return -EINVAL;
    rt_put(&message, ADDRESS_BROADCAST, bytes, (size_t)size);
  }
  return rt_send(&message, socket);
}

static int change_route(const struct link_change *change, int socket) {
  unsigned char bytes[16];
  struct route_head head = {.family = change->by_link6 ? AF_INET6 : AF_INET, .table = TABLE_MAIN, .protocol = PROTOCOL_BOOT, .type = ROUTE_UNICAST};
  unsigned link = if_nametoindex(change->link.name);
  if (link == 0) return -errno;
  int size = change->gateway == NULL ? 0 : read_address(change->gateway, &head.family, bytes, NULL);
  if (size < 0) return size;
  if (change->gateway == NULL && !change->by_link6) head.scope = SCOPE_LINK; /* as ip has it */
  struct rt_message message;
  rt_begin(&message, RT_NEW_ROUTE, RT_CREATE | RT_REPLACE, &head, sizeof head);
  if (size > 0) rt_put(&message, ROUTE_GATEWAY, bytes, (size_t)size);
  rt_put_u32(&message, ROUTE_LINK, link);
  return rt_send(&message, socket);
}

static int change_setting(char *text) {
  char *value = strchr(text, '=');
  char path[256];
  if (value == NULL || strstr(text, "/../") != NULL) return -EINVAL;
  *value++ = '\0';
  if (snprintf(path, sizeof path, "/proc/sys/%s", text) >= (int)sizeof path) return -EINVAL;
  fd_scoped int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return errno == ENOENT ? 0 : -errno;
  return fd_write_all(file, value, strlen(value));
}

static int go(struct place *place, int netns) {
  fd_close(&place->away_socket);
  if (setns(netns, CLONE_NEWNET) != 0) return -errno;
  place->away = netns != place->host;
  if (!place->away) return 0;
  place->away_socket = rt_socket();
  return place->away_socket < 0 ? place->away_socket : 0;
}

static int apply_line(struct place *place, char *line) {
  struct link_change change;
  if (strncmp(line, "sysctl ", 7) == 0) return change_setting(line + 7);
  if (strncmp(line, "netns ", 6) == 0) {
    fd_scoped int netns = open(line + 6, O_RDONLY | O_CLOEXEC);
    return netns < 0 ? -errno : go(place, netns);
  }
  if (!link_words_read(line, &change)) return -EINVAL;
  int socket = place->away ? place->away_socket : place->host_socket;
  if (change.verb == ROUTE_REPLACE) return change_route(&change, socket);
  if (change.verb == ADDRESS_ADD || change.verb == ADDRESS_REPLACE) return change_address(&change, socket);
  return change_link(&change, socket);
}

/* ---- frames ---- */

static int apply_all(struct place *place, char **lines, bool each, struct failure *failure) {
  for (; *lines != NULL; lines++) {
    char shown[200];
    snprintf(shown, sizeof shown, "%s", *lines);
    int result = apply_line(place, *lines);
    bool leads_away = strncmp(shown, "netns ", 6) == 0; /* what is meant for a container never happens on the host */
    if (result < 0 && (leads_away || !each)) return fail(failure, "network", -result, "%s", shown);
  }
  return 0;
}

static int apply(struct place *place, const struct request *request, struct failure *failure) {
  char **lines = request_list(request, FIELD_LINE);
  if (lines == NULL) return fail(failure, "request", ENOMEM, "lines");
  int result = apply_all(place, lines, request_number(request, FIELD_EACH, 0) != 0, failure);
  free(lines);
  return result;
}

static int answer(int client, struct place *place, const struct request *request) {
  struct failure failure = {0};
  int result = apply(place, request, &failure);
  if (place->away && go(place, place->host) < 0) return -EIO; /* never the next one's lines in a container */
  return result < 0 ? send_failure(client, &failure, -1) : send_plain(client, FRAME_OK);
}

int serve_links(int client, const struct request *first) {
  prctl(PR_SET_NAME, "slipway-links");
  title_set("slipway-links");
  struct place place = {.host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), .host_socket = rt_socket(), .away_socket = -1};
  if (place.host < 0 || place.host_socket < 0) return 1;
  int result = answer(client, &place, first);
  while (result >= 0) {
    uint8_t type;
    char *payload = NULL;
    uint32_t length;
    result = frame_receive(client, &type, &payload, &length, FRAME_MAX);
    if (result <= 0) break;
    request_scoped struct request request = {0};
    if (request_parse(&request, payload, length) < 0 || type != FRAME_LINKS) return 1;
    result = answer(client, &place, &request);
  }
  return result < 0;
}
