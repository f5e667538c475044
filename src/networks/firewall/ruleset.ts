import { type Chain, chainsWith, copyTables, networkSetTypes, portMapTypes, portSetTypes } from "./rules.ts";

/** What the firewall of one daemon instance must do. */
export interface FirewallPlan {
  readonly table: string;
  readonly networks: readonly NetworkRules[];
  readonly publications: readonly Publication[];
  /** Whether the kernel copies packets, without which no port can be judged. */
  readonly copies: boolean;
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
  /** Which families are reached from outside by their own addresses, at published ports. */
  readonly routed: { readonly ipv4: boolean; readonly ipv6: boolean };
}

/** One published port. */
export interface Publication {
  readonly protocol: "tcp" | "udp" | "sctp";
  /** `0.0.0.0` and `::`: every address of the host of that family. */
  readonly hostIp: string;
  /** 0: reached by the container's own address and port. */
  readonly hostPort: number;
  /** Of the same family; an IPv4 one for an IPv6 `hostIp`: the container's monitor relays it. */
  readonly containerIp: string;
  readonly containerPort: number;
  /** Whether the host's own input chains have their say. */
  readonly judged: boolean;
}

/** The whole table as one transaction for `nft -f`: it replaces whatever the table held, so it also repairs. */
export function rulesetOf({ table, networks, publications, copies }: FirewallPlan): string {
  const networkSets = networkSetNames.map((name) =>
    setOf(
      name,
      networkSetTypes[name],
      networks.flatMap((network) => elementsOf(network)[name]),
    ),
  );
  const elements = publications.flatMap(portElements);
  const elementsIn = (set: PortSetName): string[] =>
    elements.filter((element) => element.set === set).map(({ key, value }) => key + value);
  const maps = portMapNames.map((name) => mapOf(name, elementsIn(name)));
  const portSets = portSetNames.map((name) => setOf(name, portSetTypes[name], elementsIn(name)));
  const main = tableOf(`inet ${table}`, [...networkSets, ...maps, ...portSets, ...chainsWith(copies).map(chainOf)]);
  const copying = copyTables.map((each) =>
    copies ? tableOf(`${each.family} ${table}`, each.chains.map(chainOf)) : noTable(`${each.family} ${table}`),
  );
  return main + copying.join("");
}

/** The transaction that adds networks: some elements each, whatever their number. */
export function addNetworksText(table: string, networks: readonly NetworkRules[]): string {
  return changeNetworks("add", table, networks);
}

/** The transaction that takes networks out. */
export function removeNetworksText(table: string, networks: readonly NetworkRules[]): string {
  return changeNetworks("delete", table, networks);
}

/** The transaction that publishes ports: two elements each, one in a routed network or for a port that is relayed. */
export function publishText(table: string, publications: readonly Publication[]): string {
  return publications
    .flatMap(portElements)
    .map(({ set, key, value }) => `add element inet ${table} ${set} { ${key}${value} }\n`)
    .join("");
}

/** The transaction that takes published ports back. */
export function withdrawText(table: string, publications: readonly Publication[]): string {
  return publications
    .flatMap(portElements)
    .map(({ set, key }) => `delete element inet ${table} ${set} { ${key} }\n`)
    .join("");
}

/** The transaction that removes the table; no failure when there is none. */
export function removalText(table: string): string {
  return tablesOf({ table, copies: true }).map(noTable).join("");
}

/** The tables that are to be there, with their families. */
export function tablesOf({ table, copies }: Pick<FirewallPlan, "table" | "copies">): string[] {
  return ["inet", ...(copies ? copyTables.map(({ family }) => family) : [])].map((family) => `${family} ${table}`);
}

type NetworkSetName = keyof typeof networkSetTypes;
const networkSetNames = Object.keys(networkSetTypes) as NetworkSetName[];
type PortMapName = keyof typeof portMapTypes;
const portMapNames = Object.keys(portMapTypes) as PortMapName[];
type PortSetName = PortMapName | keyof typeof portSetTypes;
const portSetNames = Object.keys(portSetTypes) as (keyof typeof portSetTypes)[];

function elementsOf({
  bridge,
  talks,
  internal,
  masquerades,
  open,
  routed,
}: NetworkRules): Readonly<Record<NetworkSetName, readonly string[]>> {
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
    routed4: when(routed.ipv4, name),
    routed6: when(routed.ipv6, name),
  };
}

function changeNetworks(change: "add" | "delete", table: string, networks: readonly NetworkRules[]): string {
  return networks
    .flatMap((network) =>
      networkSetNames.flatMap((name) =>
        elementsOf(network)[name].map((element) => `${change} element inet ${table} ${name} { ${element} }\n`),
      ),
    )
    .join("");
}

function tableOf(name: string, parts: readonly string[]): string {
  return `${noTable(name)}${[`table ${name} {`, ...parts, "}"].join("\n")}\n`;
}

/** Made first: what is not there cannot be deleted. */
function noTable(name: string): string {
  return `table ${name} {}\ndelete table ${name}\n`;
}

function chainOf({ name, hook, rules }: Chain): string {
  const type = hook === undefined ? [] : [`\t\ttype ${hook}; policy accept;`];
  return [`\tchain ${name} {`, ...type, ...rules.map((rule) => `\t\t${rule}`), "\t}"].join("\n");
}

function setOf(name: string, type: string, elements: readonly string[]): string {
  return `\tset ${name} {\n\t\ttype ${type}\n${elementLines(elements)}\t}`;
}

function mapOf(name: PortMapName, elements: readonly string[]): string {
  return `\tmap ${name} {\n\t\ttype ${portMapTypes[name]}\n${elementLines(elements)}\t}`;
}

function elementLines(elements: readonly string[]): string {
  return elements.length === 0 ? "" : `\t\telements = {\n${elements.map((one) => `\t\t\t${one},\n`).join("")}\t\t}\n`;
}

interface PortElement {
  readonly set: PortSetName;
  readonly key: string;
  /** With its colon; empty in a set. */
  readonly value: string;
}

function portElements(one: Publication): PortElement[] {
  const { protocol, hostIp, hostPort, containerIp, containerPort, judged } = one;
  const version = hostIp.includes(":") ? "6" : "4";
  if (hostPort === 0) {
    return [{ set: `reached${version}`, key: `${containerIp} . ${protocol} . ${containerPort}`, value: "" }];
  }
  const isEvery = hostIp === "0.0.0.0" || hostIp === "::";
  const key = isEvery ? `${protocol} . ${hostPort}` : `${hostIp} . ${protocol} . ${hostPort}`;
  const suffix = isEvery ? "" : "_at";
  // The host itself answers, and so its input chains judge.
  if (version === "6" && !containerIp.includes(":")) return [{ set: `relayed6${suffix}`, key, value: "" }];
  return [
    { set: `published${version}${suffix}`, key, value: ` : ${containerIp} . ${containerPort}` },
    { set: `${judged ? "judged" : "exposed"}${version}${suffix}`, key, value: "" },
  ];
}
