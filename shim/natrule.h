/* The firewall rules of a container's own network namespace that lead its DNS queries to the relay, see names.h. */
#pragma once

#include <stdint.h>

/*
 * Makes the table `slipway_names` of family ip here: what is sent from this network namespace to that address (network
 * byte order), port 53, goes to these ports of the same address instead. A table of that name is replaced; all happens
 * in one transaction. -ENOENT, -EOPNOTSUPP, -EPROTONOSUPPORT or -EAFNOSUPPORT where the kernel has no such firewall.
 */
int nat_rule_set(uint32_t address, uint16_t udp_port, uint16_t tcp_port);
