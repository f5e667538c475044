import { type Subnet, formatSubnet } from "./address.ts";

/** What the firewall of one daemon instance must do. */
export interface FirewallPlan {
  readonly table: string;
  readonly networks: readonly NetworkRules[];
  readonly publications: readonly Publication[];
}

/** A bridge network behind address translation. */
export interface NetworkRules {
  readonly bridge: string;
  readonly subnet: Subnet;
}

/** One published port. */
export interface Publication {
  readonly protocol: "tcp" | "udp";
  /** `0.0.0.0`: every address of the host. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerIp: string;
  readonly containerPort: number;
}

/** The whole table as one transaction for `nft -f`: it replaces whatever the table held, so it also repairs. */
export function rulesetOf(plan: FirewallPlan): string {
  const { table, networks, publications } = plan;
  return `table inet ${table} {}
delete table inet ${table}
table inet ${table} {
${mapOf(anyMap, "inet_proto . inet_service", publications)}
${mapOf(addressMap, "ipv4_addr . inet_proto . inet_service", publications)}
${chain("early", "filter hook prerouting priority raw", networks.flatMap(earlyRules))}
${chain("prerouting", "nat hook prerouting priority dstnat", ["ip daddr 127.0.0.0/8 return", ...translation])}
${chain("output", "nat hook output priority -100", translation)}
${chain("postrouting", "nat hook postrouting priority srcnat", networks.flatMap(sourceRules))}
${chain("forward", "filter hook forward priority filter", networks.flatMap(forwardRules))}
}
`;
}

/** The transaction that publishes ports: one element each. */
export function publishText(table: string, publications: readonly Publication[]): string {
  return publications.map((one) => `add element inet ${table} ${mapFor(one)} { ${elementOf(one)} }\n`).join("");
}

/** The transaction that takes published ports back. */
export function withdrawText(table: string, publications: readonly Publication[]): string {
  return publications.map((one) => `delete element inet ${table} ${mapFor(one)} { ${keyOf(one)} }\n`).join("");
}

/** The transaction that removes the table; no failure when there is none. */
export function removalText(table: string): string {
  return `table inet ${table} {}\ndelete table inet ${table}\n`;
}

const anyMap = "published";
const addressMap = "published_at";

/** Packets for a published port go to its container: first by address and port, then by port on any address of the host. */
const translation: readonly string[] = [
  `dnat ip to ip daddr . meta l4proto . th dport map @${addressMap}`,
  `fib daddr type local dnat ip to meta l4proto . th dport map @${anyMap}`,
];

/** Before anything else, also before address translation: what may not come in at all. */
function earlyRules({ bridge, subnet }: NetworkRules): string[] {
  return [
    // route_localnet is on for the bridge: the host's loopback services must not be reachable from containers.
    `iifname "${bridge}" ip daddr 127.0.0.0/8 drop`,
    `iifname "${bridge}" ip saddr 127.0.0.0/8 drop`,
    // Others reach a container by its published ports, never by routing to its address.
    `iifname != { "lo", "${bridge}" } ip daddr ${formatSubnet(subnet)} drop`,
  ];
}

function sourceRules({ bridge, subnet }: NetworkRules): string[] {
  const network = formatSubnet(subnet);
  return [
    // The host reached a published port through 127.0.0.1.
    `oifname "${bridge}" ip saddr 127.0.0.0/8 masquerade`,
    // A container reached a published port of its own network: the answer must come back by the host.
    `oifname "${bridge}" ip saddr ${network} ct status dnat masquerade`,
    `oifname != "${bridge}" ip saddr ${network} masquerade`,
  ];
}

function forwardRules({ bridge }: NetworkRules): string[] {
  return [
    // Untracked answers would leave with the container's address.
    `iifname "${bridge}" oifname != "${bridge}" ct state invalid drop`,
    `iifname "${bridge}" oifname != "${bridge}" meta nfproto ipv6 drop`,
    // A way out with a smaller MTU (a VPN): the other side must hear of it, as it would from the host itself.
    `iifname "${bridge}" oifname != "${bridge}" tcp flags syn tcp option maxseg size set rt mtu`,
    `iifname "${bridge}" oifname "${bridge}" accept`,
    `oifname "${bridge}" ct state established,related accept`,
    `oifname "${bridge}" ct status dnat accept`,
    `oifname "${bridge}" drop`,
  ];
}

function chain(name: string, hook: string, rules: readonly string[]): string {
  return [`\tchain ${name} {`, `\t\ttype ${hook}; policy accept;`, ...rules.map((rule) => `\t\t${rule}`), "\t}"].join(
    "\n",
  );
}

function mapOf(name: string, keyType: string, publications: readonly Publication[]): string {
  const elements = publications.filter((one) => mapFor(one) === name).map((one) => `\t\t\t${elementOf(one)},\n`);
  const body = elements.length === 0 ? "" : `\t\telements = {\n${elements.join("")}\t\t}\n`;
  return `\tmap ${name} {\n\t\ttype ${keyType} : ipv4_addr . inet_service\n${body}\t}`;
}

function mapFor({ hostIp }: Publication): string {
  return hostIp === "0.0.0.0" ? anyMap : addressMap;
}

function keyOf(one: Publication): string {
  const key = `${one.protocol} . ${one.hostPort}`;
  return mapFor(one) === anyMap ? key : `${one.hostIp} . ${key}`;
}

function elementOf(one: Publication): string {
  return `${keyOf(one)} : ${one.containerIp} . ${one.containerPort}`;
}
