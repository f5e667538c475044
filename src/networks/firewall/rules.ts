/** The rules: the same for every instance. What networks and ports there are is in the sets and maps that they look into. */

/** Sets of networks, by their bridges. */
export const networkSetTypes = {
  /** Every bridge of ours. */
  bridges: "ifname",
  /** Each bridge and itself: a packet that comes back to the network it came from. */
  same: "ifname . ifname",
  /** Of those, where containers may talk to each other. */
  neighbours: "ifname . ifname",
  internal: "ifname",
  masqueraded4: "ifname",
  masqueraded6: "ifname",
  /** Every port of every container is reached from outside. */
  open4: "ifname",
  open6: "ifname",
  /** Reached by the containers' own addresses: their published ports, and ICMP. */
  routed4: "ifname",
  routed6: "ifname",
} as const;

/** Where the packets for a port of the host go. */
export const portMapTypes = {
  published4: "inet_proto . inet_service : ipv4_addr . inet_service",
  published4_at: "ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service",
  published6: "inet_proto . inet_service : ipv6_addr . inet_service",
  published6_at: "ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service",
} as const;

/** Sets of ports. */
export const portSetTypes = {
  /** Of the published ones, those that the host's own input chains judge; a map cannot be asked whether it has an element. */
  judged4: "inet_proto . inet_service",
  judged4_at: "ipv4_addr . inet_proto . inet_service",
  judged6: "inet_proto . inet_service",
  judged6_at: "ipv6_addr . inet_proto . inet_service",
  /** The others: open whatever the host's firewall says. */
  exposed4: "inet_proto . inet_service",
  exposed4_at: "ipv4_addr . inet_proto . inet_service",
  exposed6: "inet_proto . inet_service",
  exposed6_at: "ipv6_addr . inet_proto . inet_service",
  /** Ports of containers in routed networks, by the containers' own addresses. */
  reached4: "ipv4_addr . inet_proto . inet_service",
  reached6: "ipv6_addr . inet_proto . inet_service",
  /** Ports that the host itself answers, as a monitor relays them to a container without IPv6. */
  relayed6: "inet_proto . inet_service",
  relayed6_at: "ipv6_addr . inet_proto . inet_service",
} as const;

export interface Chain {
  readonly name: string;
  readonly hook?: string;
  readonly rules: readonly string[];
  /** Serves the copying of packets. */
  readonly copies?: true;
}

/**
 * The mark of a packet that is to be copied, and of its copy. It is in the priority, as firewalls and routing rules of others
 * use the mark proper.
 */
const copied = "0x51700001";

/** Packets for a published port go to its container: first by address and port, then by port on any address of the host. */
const translation: readonly string[] = [
  "dnat ip to ip daddr . meta l4proto . th dport map @published4_at",
  "dnat ip6 to ip6 daddr . meta l4proto . th dport map @published6_at",
  "fib daddr type local dnat ip to meta l4proto . th dport map @published4",
  "fib daddr type local dnat ip6 to meta l4proto . th dport map @published6",
];

/** All but the first packets of a connection are waved through: of large streams each packet comes by here. */
const onlyNew = "ct state != new return";

/** Marks packets from outside, for ports of these sets; behind `onlyNew` those of connections that nobody has answered yet. */
function mark(sets: "judged" | "exposed", condition = ""): string[] {
  const all = `iif != "lo" iifname != @bridges ${condition}fib daddr type local`;
  return [
    `${all} ip daddr . meta l4proto . th dport @${sets}4_at meta priority set ${copied}`,
    `${all} ip6 daddr . meta l4proto . th dport @${sets}6_at meta priority set ${copied}`,
    `${all} meta nfproto ipv4 meta l4proto . th dport @${sets}4 meta priority set ${copied}`,
    `${all} meta nfproto ipv6 meta l4proto . th dport @${sets}6 meta priority set ${copied}`,
  ];
}

/** From outside nothing is translated: that is for copies. */
const fromOutside = "iifname != @bridges return";

/** A port on 127.0.0.1 is the host's own, whatever its settings for routing say. */
const notLoopback = "ip daddr 127.0.0.0/8 return";

/**
 * The chains of the instance's table. A connection from outside to a published port begins with a copy: its first packet is sent
 * once more (`copyTables`), as a packet of the host's own, which `output` leads to the container; all else of the connection
 * follows the kernel's record of that. So it is the host's input chains that judge the first packet, as for a program that
 * listens there, or for exposed ports nobody; and the forward chains see a connection that goes on, as the copying goes on until
 * somebody has answered.
 */
const everyChain: readonly Chain[] = [
  {
    // Before anything else, also before address translation: what may not come in at all.
    name: "early",
    hook: "filter hook prerouting priority raw",
    rules: [
      // route_localnet is on for the bridges: the host's loopback services must not be reachable from containers.
      "ip daddr 127.0.0.0/8 iifname @bridges drop",
      "ip saddr 127.0.0.0/8 iifname @bridges drop",
    ],
  },
  {
    // Of the host, an internal network has its gateway and nothing else.
    name: "input",
    hook: "filter hook input priority filter",
    rules: [
      "iifname @internal fib daddr . iif type != { local, broadcast, multicast } drop",
      // Behind them are containers of other networks.
      "iifname @internal meta nfproto ipv6 meta l4proto . th dport @relayed6 drop",
      "iifname @internal ip6 daddr . meta l4proto . th dport @relayed6_at drop",
    ],
  },
  {
    name: "prerouting",
    hook: "nat hook prerouting priority dstnat",
    rules: [notLoopback, fromOutside, ...translation],
  },
  {
    name: "exposed",
    copies: true,
    hook: "filter hook prerouting priority dstnat - 7",
    // Those of judged ports that are known were let in.
    rules: [onlyNew, notLoopback, ...mark("exposed"), ...mark("judged", "ct status confirmed ")],
  },
  {
    name: "begun",
    copies: true,
    hook: "filter hook prerouting priority dstnat - 5",
    rules: [`meta priority ${copied} drop`],
  },
  {
    // Behind all input chains of the host: what comes here was let in by each of them.
    name: "judged",
    copies: true,
    hook: "filter hook input priority 1000",
    rules: [onlyNew, notLoopback, ...mark("judged")],
  },
  { name: "spent", copies: true, hook: "filter hook input priority 1002", rules: [`meta priority ${copied} drop`] },
  {
    // The kernel does not track copies; this one is to begin a connection.
    name: "resent",
    copies: true,
    hook: "filter hook output priority raw",
    rules: [`meta priority ${copied} ct state untracked ct zone set 0`],
  },
  { name: "output", hook: "nat hook output priority -100", rules: ["ip6 daddr ::1 return", ...translation] },
  {
    // Its port was withdrawn at this moment; it would come back, and be sent again.
    name: "nobodys",
    copies: true,
    hook: "filter hook output priority filter",
    rules: [`meta priority != ${copied} accept`, "ct status dnat accept", "drop"],
  },
  {
    name: "postrouting",
    hook: "nat hook postrouting priority srcnat",
    rules: [
      // The host reached a published port through 127.0.0.1.
      "oifname @bridges ip saddr 127.0.0.0/8 masquerade",
      // A container reached a published port of its own network: the answer must come back by the host.
      "iifname . oifname @same ct status dnat masquerade",
      // The same where the kernel filters what bridges pass on (bridge-nf-call-iptables): it then tells no way in, as for the host's own packets.
      `iif 0 oifname @bridges meta priority != ${copied} ct status dnat fib saddr type != local masquerade`,
      "iifname . oifname @same accept",
      "meta nfproto ipv4 iifname @masqueraded4 masquerade",
      "meta nfproto ipv6 iifname @masqueraded6 masquerade",
    ],
  },
  {
    name: "forward",
    hook: "filter hook forward priority filter",
    rules: [
      // A way out with a smaller MTU (a VPN): the other side must hear of it, as it would from the host itself.
      "tcp flags syn iifname @bridges tcp option maxseg size set rt mtu",
      "iifname @internal iifname . oifname != @same drop",
      "ct state established,related accept",
      // Others reach a container by its published ports, never by routing to its address.
      "oifname @bridges jump inwards",
      // Untracked answers would leave with the container's address.
      "iifname @bridges ct state invalid drop",
    ],
  },
  {
    name: "inwards",
    rules: [
      "iifname . oifname @neighbours accept",
      "ct status dnat accept",
      "iifname . oifname @same drop",
      "oifname @routed4 ip daddr . meta l4proto . th dport @reached4 accept",
      "oifname @routed6 ip6 daddr . meta l4proto . th dport @reached6 accept",
      "oifname @routed4 meta l4proto icmp accept",
      "oifname @routed6 meta l4proto icmpv6 accept",
      "meta nfproto ipv4 oifname @open4 accept",
      "meta nfproto ipv6 oifname @open6 accept",
      "drop",
    ],
  },
];

/** The chains of the instance's table. A kernel that cannot copy packets translates what comes from outside, whoever judges it. */
export function chainsWith(copies: boolean): Chain[] {
  if (copies) return [...everyChain];
  const chains = everyChain.filter((chain) => chain.copies === undefined);
  return chains.map(({ rules, ...chain }) =>
    Object.assign(chain, { rules: rules.filter((rule) => rule !== fromOutside) }),
  );
}

/** The kernel copies packets in tables of one family alone: two more tables of two rules each. */
export const copyTables = (["ip", "ip6"] as const).map((family) => ({
  family,
  chains: ["prerouting priority dstnat - 6", "input priority 1001"].map((hook): Chain => ({
    name: hook.replace(/ .*/, ""),
    hook: `filter hook ${hook}`,
    rules: [`meta priority ${copied} dup to ${family} daddr`],
  })),
}));
