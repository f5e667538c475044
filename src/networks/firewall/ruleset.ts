/** What the firewall of one daemon instance must do. */
export interface FirewallPlan {
  readonly table: string;
  readonly networks: readonly NetworkRules[];
  readonly publications: readonly Publication[];
}

/** A bridge network. */
export interface NetworkRules {
  readonly bridge: string;
  /** Its containers reach each other. */
  readonly talks: boolean;
  /** Its containers reach nothing but each other, and the bridge's own addresses. */
  readonly internal: boolean;
  /** Which families leave with the host's address. */
  readonly masquerades: { readonly ipv4: boolean; readonly ipv6: boolean };
  /** Which families may be reached from outside without a published port. */
  readonly open: { readonly ipv4: boolean; readonly ipv6: boolean };
}

/** One published port. */
export interface Publication {
  readonly protocol: "tcp" | "udp" | "sctp";
  /** `0.0.0.0` and `::`: every address of the host of that family. */
  readonly hostIp: string;
  readonly hostPort: number;
  /** Of the same family; an IPv4 one for an IPv6 `hostIp`: the container's monitor relays it. */
  readonly containerIp: string;
  readonly containerPort: number;
}

/** The whole table as one transaction for `nft -f`: it replaces whatever the table held, so it also repairs. */
export function rulesetOf({ table, networks, publications }: FirewallPlan): string {
  const sets = setNames.map((name) =>
    setOf(
      name,
      networks.flatMap((network) => elementsOf(network)[name]),
    ),
  );
  const ports = portNames.map((name) => portsOf(name, publications));
  return [
    `table inet ${table} {}`,
    `delete table inet ${table}`,
    `table inet ${table} {`,
    ...sets,
    ...ports,
    ...chains.map(({ name, hook, rules }) => chainOf(name, hook, rules)),
    "}\n",
  ].join("\n");
}

/** The transaction that adds networks: some elements each, whatever their number. */
export function addNetworksText(table: string, networks: readonly NetworkRules[]): string {
  return changeNetworks("add", table, networks);
}

/** The transaction that takes networks out. */
export function removeNetworksText(table: string, networks: readonly NetworkRules[]): string {
  return changeNetworks("delete", table, networks);
}

/** The transaction that publishes ports: one element each. */
export function publishText(table: string, publications: readonly Publication[]): string {
  return publications
    .map((one) => `add element inet ${table} ${portNameOf(one)} { ${publicationElement(one)} }\n`)
    .join("");
}

/** The transaction that takes published ports back. */
export function withdrawText(table: string, publications: readonly Publication[]): string {
  return publications.map((one) => `delete element inet ${table} ${portNameOf(one)} { ${keyOf(one)} }\n`).join("");
}

/** The transaction that removes the table; no failure when there is none. */
export function removalText(table: string): string {
  return `table inet ${table} {}\ndelete table inet ${table}\n`;
}

const setTypes = {
  /** Every bridge of ours. */
  bridges: "ifname",
  /** Each bridge and itself: a packet that comes back to the network it came from. */
  same: "ifname . ifname",
  /** Of those, where containers may talk to each other. */
  neighbours: "ifname . ifname",
  internal: "ifname",
  masqueraded4: "ifname",
  masqueraded6: "ifname",
  open4: "ifname",
  open6: "ifname",
} as const;

type SetName = keyof typeof setTypes;
const setNames = Object.keys(setTypes) as SetName[];

/** Where ports lead; of those that the host itself answers, as a monitor relays them, just the ports. */
const portTypes = {
  published4: "inet_proto . inet_service : ipv4_addr . inet_service",
  published4_at: "ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service",
  published6: "inet_proto . inet_service : ipv6_addr . inet_service",
  published6_at: "ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service",
  relayed6: "inet_proto . inet_service",
  relayed6_at: "ipv6_addr . inet_proto . inet_service",
} as const;

type PortName = keyof typeof portTypes;
const portNames = Object.keys(portTypes) as PortName[];

/** Packets for a published port go to its container: first by address and port, then by port on any address of the host. */
const translation: readonly string[] = [
  "dnat ip to ip daddr . meta l4proto . th dport map @published4_at",
  "dnat ip6 to ip6 daddr . meta l4proto . th dport map @published6_at",
  "fib daddr type local dnat ip to meta l4proto . th dport map @published4",
  "fib daddr type local dnat ip6 to meta l4proto . th dport map @published6",
];

interface Chain {
  readonly name: string;
  readonly hook?: string;
  readonly rules: readonly string[];
}

const chains: readonly Chain[] = [
  {
    // Before anything else, also before address translation: what may not come in at all.
    name: "early",
    hook: "filter hook prerouting priority raw",
    rules: [
      // route_localnet is on for the bridges: the host's loopback services must not be reachable from containers.
      "iifname @bridges ip daddr 127.0.0.0/8 drop",
      "iifname @bridges ip saddr 127.0.0.0/8 drop",
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
    rules: ["ip daddr 127.0.0.0/8 return", ...translation],
  },
  { name: "output", hook: "nat hook output priority -100", rules: ["ip6 daddr ::1 return", ...translation] },
  {
    name: "postrouting",
    hook: "nat hook postrouting priority srcnat",
    rules: [
      // The host reached a published port through 127.0.0.1.
      "oifname @bridges ip saddr 127.0.0.0/8 masquerade",
      // A container reached a published port of its own network: the answer must come back by the host.
      "iifname . oifname @same ct status dnat masquerade",
      // The same where the kernel filters what bridges pass on (bridge-nf-call-iptables): it then tells no way in, as for the host's own packets.
      "iif 0 oifname @bridges ct status dnat fib saddr type != local masquerade",
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
      "iifname @bridges tcp flags syn tcp option maxseg size set rt mtu",
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
      "meta nfproto ipv4 oifname @open4 accept",
      "meta nfproto ipv6 oifname @open6 accept",
      "drop",
    ],
  },
];

function elementsOf({
  bridge,
  talks,
  internal,
  masquerades,
  open,
}: NetworkRules): Readonly<Record<SetName, readonly string[]>> {
  const name = `"${bridge}"`;
  const pair = `${name} . ${name}`;
  const when = (condition: boolean, element: string): string[] => (condition ? [element] : []);
  return {
    bridges: [name],
    same: [pair],
    neighbours: when(talks, pair),
    internal: when(internal, name),
    masqueraded4: when(masquerades.ipv4, name),
    masqueraded6: when(masquerades.ipv6, name),
    open4: when(open.ipv4, name),
    open6: when(open.ipv6, name),
  };
}

function changeNetworks(change: "add" | "delete", table: string, networks: readonly NetworkRules[]): string {
  return networks
    .flatMap((network) =>
      setNames.flatMap((name) =>
        elementsOf(network)[name].map((element) => `${change} element inet ${table} ${name} { ${element} }\n`),
      ),
    )
    .join("");
}

function chainOf(name: string, hook: string | undefined, rules: readonly string[]): string {
  const type = hook === undefined ? [] : [`\t\ttype ${hook}; policy accept;`];
  return [`\tchain ${name} {`, ...type, ...rules.map((rule) => `\t\t${rule}`), "\t}"].join("\n");
}

function setOf(name: SetName, elements: readonly string[]): string {
  return `\tset ${name} {\n\t\ttype ${setTypes[name]}\n${elementLines(elements)}\t}`;
}

function portsOf(name: PortName, publications: readonly Publication[]): string {
  const elements = publications.filter((one) => portNameOf(one) === name).map(publicationElement);
  const kind = portTypes[name].includes(" : ") ? "map" : "set";
  return `\t${kind} ${name} {\n\t\ttype ${portTypes[name]}\n${elementLines(elements)}\t}`;
}

function elementLines(elements: readonly string[]): string {
  return elements.length === 0 ? "" : `\t\telements = {\n${elements.map((one) => `\t\t\t${one},\n`).join("")}\t\t}\n`;
}

function portNameOf({ hostIp, containerIp }: Publication): PortName {
  if (hostIp.includes(":") && !containerIp.includes(":")) return hostIp === "::" ? "relayed6" : "relayed6_at";
  if (hostIp.includes(":")) return hostIp === "::" ? "published6" : "published6_at";
  return hostIp === "0.0.0.0" ? "published4" : "published4_at";
}

function keyOf(one: Publication): string {
  const key = `${one.protocol} . ${one.hostPort}`;
  return portNameOf(one).endsWith("_at") ? `${one.hostIp} . ${key}` : key;
}

function publicationElement(one: Publication): string {
  const isRelayed = portNameOf(one).startsWith("relayed");
  return isRelayed ? keyOf(one) : `${keyOf(one)} : ${one.containerIp} . ${one.containerPort}`;
}
