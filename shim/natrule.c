/*
 * One nfnetlink batch, written by hand, as starting `nft` for each container costs milliseconds:
 *
 *   table ip slipway_names {
 *     chain output {
 *       type filter hook output priority raw;
 *       ip daddr ADDRESS udp dport 53 udp dport set PORT          and the same for tcp
 *     }
 *     chain prerouting {
 *       type filter hook prerouting priority raw;
 *       ip saddr ADDRESS iif lo udp sport PORT udp sport set 53   and the same for tcp
 *     }
 *   }
 *
 * Ports are written over, not translated: a nat chain would have the kernel track every connection of the container, and
 * look up each of its packets. Both are done before connections are tracked, so that a firewall of the container's own
 * sees one connection to PORT.
 */
#include "natrule.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fd.h"

/* linux/netlink.h, linux/netfilter/nfnetlink.h and nf_tables.h: not all C libraries bring them. */
enum { NETLINK_OF_NETFILTER = 12, NETLINK_ERROR = 2, SUBSYSTEM_NFTABLES = 10 };
enum { FLAG_REQUEST = 1, FLAG_ACK = 4, FLAG_EXCLUSIVE = 0x200, FLAG_CREATE = 0x400, FLAG_APPEND = 0x800 };
enum { BATCH_BEGIN = 0x10, BATCH_END = 0x11, NEW_TABLE = 0, DELETE_TABLE = 2, NEW_CHAIN = 3, NEW_RULE = 6 };
enum { NESTED = 0x8000, LIST_ELEMENT = 1, TABLE_NAME = 1 };
enum { CHAIN_TABLE = 1, CHAIN_NAME = 3, CHAIN_HOOK = 4, CHAIN_TYPE = 7, HOOK_NUMBER = 1, HOOK_PRIORITY = 2 };
enum { RULE_TABLE = 1, RULE_CHAIN = 2, RULE_EXPRESSIONS = 4, EXPRESSION_NAME = 1, EXPRESSION_DATA = 2, DATA_VALUE = 1 };
enum { PAYLOAD_REGISTER = 1, PAYLOAD_BASE = 2, PAYLOAD_OFFSET = 3, PAYLOAD_LENGTH = 4, NETWORK_HEADER = 1, TRANSPORT_HEADER = 2 };
enum { PAYLOAD_SOURCE_REGISTER = 5, PAYLOAD_CHECKSUM_TYPE = 6, PAYLOAD_CHECKSUM_OFFSET = 7, CHECKSUM_INTERNET = 1 };
enum { META_REGISTER = 1, META_KEY = 2, META_IN_LINK = 4, META_L4PROTO = 16, LOOPBACK_LINK = 1 };
enum { COMPARE_REGISTER = 1, COMPARE_OPERATION = 2, COMPARE_DATA = 3, EQUAL = 0 };
enum { IMMEDIATE_REGISTER = 1, IMMEDIATE_DATA = 2 };
enum { HOOK_PREROUTING = 0, HOOK_OUTPUT = 3, PRIORITY_RAW = -300, FAMILY_IP = 2, REGISTER_1 = 1 };
enum { SOURCE_ADDRESS = 12, TARGET_ADDRESS = 16, SOURCE_PORT = 0, TARGET_PORT = 2, UDP_CHECKSUM = 6, TCP_CHECKSUM = 16, NAMES_PORT = 53 };

static const char table_name[] = "slipway_names";

/* A chain, and what its rules look at: queries on their way out, or answers on their way in. */
struct side {
  const char *chain;
  int hook, address, port;
  bool from_loopback;
};

static const struct side queries = {"output", HOOK_OUTPUT, TARGET_ADDRESS, TARGET_PORT, false};
static const struct side answers = {"prerouting", HOOK_PREROUTING, SOURCE_ADDRESS, SOURCE_PORT, true};

struct message_head {
  uint32_t length;
  uint16_t type, flags;
  uint32_t sequence, port;
  uint8_t family, version;
  uint16_t resource;
};

struct attribute_head {
  uint16_t length, type;
};

/* Its size is known: no batch below comes near the end. */
struct batch {
  size_t length, message;
  uint32_t sequence;
  unsigned char bytes[4096];
};

/* ---- writing ---- */

static void *put(struct batch *batch, const void *bytes, size_t n) {
  unsigned char *at = batch->bytes + batch->length;
  if (n > 0) memcpy(at, bytes, n);
  batch->length += (n + 3) & ~(size_t)3;
  return at;
}

static void put_message(struct batch *batch, uint8_t subsystem, uint8_t type, uint16_t flags) {
  struct message_head head = {
      .type = (uint16_t)(subsystem << 8 | type),
      .flags = (uint16_t)(flags | FLAG_REQUEST),
      .sequence = ++batch->sequence,
      .family = subsystem == 0 ? 0 : FAMILY_IP,
      .resource = subsystem == 0 ? htons(SUBSYSTEM_NFTABLES) : 0,
  };
  batch->message = batch->length;
  put(batch, &head, sizeof head);
}

static void end_message(struct batch *batch) {
  uint32_t length = (uint32_t)(batch->length - batch->message);
  memcpy(batch->bytes + batch->message, &length, sizeof length);
}

static void put_attribute(struct batch *batch, uint16_t type, const void *bytes, size_t n) {
  struct attribute_head head = {(uint16_t)(sizeof head + n), type};
  put(batch, &head, sizeof head);
  put(batch, bytes, n);
}

static void put_number(struct batch *batch, uint16_t type, int value) {
  uint32_t number = htonl((uint32_t)value);
  put_attribute(batch, type, &number, sizeof number);
}

static size_t begin_nested(struct batch *batch, uint16_t type) {
  size_t at = batch->length;
  put_attribute(batch, type | NESTED, NULL, 0);
  return at;
}

static void end_nested(struct batch *batch, size_t at) {
  uint16_t length = (uint16_t)(batch->length - at);
  memcpy(batch->bytes + at, &length, sizeof length);
}

/* ---- expressions: each has a name, and attributes that end_expression closes ---- */

struct expression {
  size_t element, data;
};

static struct expression begin_expression(struct batch *batch, const char *name) {
  struct expression expression;
  expression.element = begin_nested(batch, LIST_ELEMENT);
  put_attribute(batch, EXPRESSION_NAME, name, strlen(name) + 1);
  expression.data = begin_nested(batch, EXPRESSION_DATA);
  return expression;
}

static void end_expression(struct batch *batch, struct expression expression) {
  end_nested(batch, expression.data);
  end_nested(batch, expression.element);
}

static void put_value(struct batch *batch, uint16_t type, const void *bytes, size_t n) {
  size_t data = begin_nested(batch, type);
  put_attribute(batch, DATA_VALUE, bytes, n);
  end_nested(batch, data);
}

static void compare(struct batch *batch, const void *bytes, size_t n) {
  struct expression expression = begin_expression(batch, "cmp");
  put_number(batch, COMPARE_REGISTER, REGISTER_1);
  put_number(batch, COMPARE_OPERATION, EQUAL);
  put_value(batch, COMPARE_DATA, bytes, n);
  end_expression(batch, expression);
}

static void compare_payload(struct batch *batch, int base, int offset, const void *bytes, size_t n) {
  struct expression expression = begin_expression(batch, "payload");
  put_number(batch, PAYLOAD_REGISTER, REGISTER_1);
  put_number(batch, PAYLOAD_BASE, base);
  put_number(batch, PAYLOAD_OFFSET, offset);
  put_number(batch, PAYLOAD_LENGTH, (int)n);
  end_expression(batch, expression);
  compare(batch, bytes, n);
}

static void compare_meta(struct batch *batch, int key, const void *bytes, size_t n) {
  struct expression expression = begin_expression(batch, "meta");
  put_number(batch, META_REGISTER, REGISTER_1);
  put_number(batch, META_KEY, key);
  end_expression(batch, expression);
  compare(batch, bytes, n);
}

static void write_port(struct batch *batch, int offset, uint16_t port, int checksum) {
  struct expression value = begin_expression(batch, "immediate");
  put_number(batch, IMMEDIATE_REGISTER, REGISTER_1);
  put_value(batch, IMMEDIATE_DATA, &port, sizeof port);
  end_expression(batch, value);
  struct expression expression = begin_expression(batch, "payload");
  put_number(batch, PAYLOAD_SOURCE_REGISTER, REGISTER_1);
  put_number(batch, PAYLOAD_BASE, TRANSPORT_HEADER);
  put_number(batch, PAYLOAD_OFFSET, offset);
  put_number(batch, PAYLOAD_LENGTH, sizeof port);
  put_number(batch, PAYLOAD_CHECKSUM_TYPE, CHECKSUM_INTERNET);
  put_number(batch, PAYLOAD_CHECKSUM_OFFSET, checksum);
  end_expression(batch, expression);
}

/* ---- the messages ---- */

static void put_table(struct batch *batch, uint8_t type, uint16_t flags) {
  put_message(batch, SUBSYSTEM_NFTABLES, type, flags);
  put_attribute(batch, TABLE_NAME, table_name, sizeof table_name);
  end_message(batch);
}

static void put_chain(struct batch *batch, const struct side *side) {
  put_message(batch, SUBSYSTEM_NFTABLES, NEW_CHAIN, FLAG_CREATE);
  put_attribute(batch, CHAIN_TABLE, table_name, sizeof table_name);
  put_attribute(batch, CHAIN_NAME, side->chain, strlen(side->chain) + 1);
  size_t hook = begin_nested(batch, CHAIN_HOOK);
  put_number(batch, HOOK_NUMBER, side->hook);
  put_number(batch, HOOK_PRIORITY, PRIORITY_RAW);
  end_nested(batch, hook);
  put_attribute(batch, CHAIN_TYPE, "filter", sizeof "filter");
  end_message(batch);
}

/* Packets with that address, protocol and port get the other port; ports are in network byte order. */
static void put_rule(struct batch *batch, const struct side *side, uint32_t address, uint8_t protocol, uint16_t port, uint16_t other, uint16_t flags) {
  static const uint32_t loopback = LOOPBACK_LINK;
  put_message(batch, SUBSYSTEM_NFTABLES, NEW_RULE, FLAG_CREATE | FLAG_APPEND | flags);
  put_attribute(batch, RULE_TABLE, table_name, sizeof table_name);
  put_attribute(batch, RULE_CHAIN, side->chain, strlen(side->chain) + 1);
  size_t expressions = begin_nested(batch, RULE_EXPRESSIONS);
  /* First, as every packet of the container comes by here, and this is what the kernel does quickest. */
  compare_payload(batch, NETWORK_HEADER, side->address, &address, sizeof address);
  if (side->from_loopback) compare_meta(batch, META_IN_LINK, &loopback, sizeof loopback);
  compare_meta(batch, META_L4PROTO, &protocol, sizeof protocol);
  compare_payload(batch, TRANSPORT_HEADER, side->port, &port, sizeof port);
  write_port(batch, side->port, other, protocol == IPPROTO_UDP ? UDP_CHECKSUM : TCP_CHECKSUM);
  end_nested(batch, expressions);
  end_message(batch);
}

static void put_rules(struct batch *batch, uint32_t address, uint8_t protocol, uint16_t port, uint16_t last_flags) {
  put_rule(batch, &queries, address, protocol, htons(NAMES_PORT), htons(port), 0);
  put_rule(batch, &answers, address, protocol, htons(port), htons(NAMES_PORT), last_flags);
}

/* ---- the exchange ---- */

/* The kernel has answered when the send comes back: errors each for themselves, and a word for the message that asked for one. */
static int read_answer(int netlink, uint32_t acknowledged) {
  for (;;) {
    _Alignas(struct message_head) unsigned char bytes[4096];
    ssize_t got = recv(netlink, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN ? -EIO : -errno;
    struct message_head head;
    int error;
    if ((size_t)got < offsetof(struct message_head, family) + sizeof error) return -EBADMSG;
    memcpy(&head, bytes, sizeof head);
    memcpy(&error, bytes + offsetof(struct message_head, family), sizeof error);
    if (head.type != NETLINK_ERROR) continue;
    if (error != 0) return error;
    if (head.sequence == acknowledged) return 0;
  }
}

static int exchange(const struct batch *batch, uint32_t acknowledged) {
  fd_scoped int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_OF_NETFILTER);
  if (netlink < 0 || send(netlink, batch->bytes, batch->length, 0) < 0) return -errno;
  return read_answer(netlink, acknowledged);
}

static int make(uint32_t address, uint16_t udp_port, uint16_t tcp_port, bool replace) {
  struct batch batch = {0};
  put_message(&batch, 0, BATCH_BEGIN, 0);
  end_message(&batch);
  if (replace) put_table(&batch, DELETE_TABLE, 0);
  put_table(&batch, NEW_TABLE, FLAG_CREATE | FLAG_EXCLUSIVE);
  put_chain(&batch, &queries);
  put_chain(&batch, &answers);
  put_rules(&batch, address, IPPROTO_UDP, udp_port, 0);
  put_rules(&batch, address, IPPROTO_TCP, tcp_port, FLAG_ACK);
  uint32_t last = batch.sequence;
  put_message(&batch, 0, BATCH_END, 0);
  end_message(&batch);
  return exchange(&batch, last);
}

int nat_rule_set(uint32_t address, uint16_t udp_port, uint16_t tcp_port) {
  int result = make(address, udp_port, tcp_port, false);
  return result == -EEXIST ? make(address, udp_port, tcp_port, true) : result;
}
