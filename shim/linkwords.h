/*
 * Lines that change links, in the words of `ip -batch` (ip-link(8), ip-address(8), ip-route(8)) as far as networks need them:
 *
 *   link add [name] NAME [mtu N] [address MAC] [master BRIDGE] type bridge
 *   link add [name] NAME [mtu N] [address MAC] [master BRIDGE] type veth peer name NAME [mtu N] [address MAC] [netns PID]
 *   link set dev NAME [mtu N] [address MAC] [master BRIDGE] [addrgenmode none] [up] [alias "TEXT"] [type bridge_slave [hairpin on] [isolated on]]
 *   link delete dev NAME
 *   address add|replace ADDRESS/LENGTH [broadcast ADDRESS] dev NAME [nodad]
 *   route replace default via ADDRESS dev NAME
 *   route replace 0.0.0.0/0|::/0 dev NAME
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum link_verb { LINK_ADD, LINK_SET, LINK_DELETE, ADDRESS_ADD, ADDRESS_REPLACE, ROUTE_REPLACE };

/* One end of a link as it is to be; what is NULL or 0 stays as it is. */
struct link_end {
  const char *name;
  uint32_t mtu;
  const char *mac;
  uint32_t netns; /* a process there */
};

struct link_change {
  enum link_verb verb;
  struct link_end link, peer;
  const char *kind, *master, *alias;
  bool up, no_generated_address, hairpin, isolated, no_duplicate_check;
  const char *address; /* ADDRESS/LENGTH */
  const char *broadcast, *gateway;
  bool by_link6; /* of a route without a gateway: it is for IPv6 */
};

/* Reads the line, cutting it into words in place; they live as long as it does. False for what is not understood. */
bool link_words_read(char *line, struct link_change *change);
