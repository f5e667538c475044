import { Fault } from "#core/fault";
import { isLinkName } from "../links/link-name.ts";
import { type EndpointPlan, addressLines, insideSettings } from "../links/link-commands.ts";
import { bridgeOption, poolOf } from "../links/bridge-plan.ts";
import { subnetFrom } from "../addresses/address.ts";
import type { Network, NetworkRequest } from "../networks.ts";

/** The kernel's kinds of links that share another link's way out. */
export type ParentKind = "macvlan" | "ipvlan";

/** A network of such links, as data. */
export interface ParentPlan {
  readonly kind: ParentKind;
  /** The link of the host whose way out they share. */
  readonly parent: string;
  readonly mode: string;
  /** Of ipvlan: whether neighbours reach each other. */
  readonly flag?: string;
  /** Nothing leads out: asked for, or there is no parent but one that we make. */
  readonly isClosed: boolean;
  /** The default route names the interface and no gateway. */
  readonly routesByDevice: boolean;
  /** What is made when the parent is not there; undefined when its name tells of nothing that could be made. */
  readonly made?: MadeParent;
}

/** A parent that we make: a link that leads nowhere, or a VLAN of another link. */
export type MadeParent =
  | { readonly kind: "dummy" }
  | { readonly kind: "vlan"; readonly base: string; readonly id: number };

const modes: Readonly<Record<ParentKind, readonly string[]>> = {
  macvlan: ["bridge", "private", "vepa", "passthru"],
  ipvlan: ["l2", "l3", "l3s"],
};
const flags = ["bridge", "private", "vepa"];
const dummyPrefix: Readonly<Record<ParentKind, string>> = { macvlan: "dm-", ipvlan: "di-" };

/** The network's plan; its options were checked. */
export function parentPlanOf(network: Pick<Network, "id" | "options" | "internal" | "driver">): ParentPlan {
  const kind = network.driver === "ipvlan" ? "ipvlan" : "macvlan";
  const { asked, mode, flag } = askedOf(kind, network.options);
  const parent = asked === "" ? `${dummyPrefix[kind]}${network.id.slice(0, 12)}` : asked;
  const made = asked === "" ? ({ kind: "dummy" } as const) : vlanOf(parent);
  return {
    kind,
    parent,
    mode,
    ...(kind === "ipvlan" && { flag }),
    isClosed: network.internal || asked === "",
    routesByDevice: kind === "ipvlan" && mode !== "l2",
    ...(made !== undefined && { made }),
  };
}

/** Checks the options of a new network. Fault `invalid`, in Docker's words; answers a warning for each option that does nothing. */
export function checkParentOptions(kind: ParentKind, { options }: Pick<NetworkRequest, "options">): string[] {
  const { asked, mode, flag } = askedOf(kind, options);
  const [first = ""] = modes[kind];
  if (!modes[kind].includes(mode)) {
    const words = kind === "macvlan" ? "'bridge' mode is the macvlan" : "'l2' mode is the ipvlan";
    throw new Fault("invalid", `requested ${kind} mode '${mode}' is not valid, ${words} driver default`, {
      remedy: `The modes are ${modes[kind].join(", ")}; without one it is ${first}.`,
    });
  }
  if (!flags.includes(flag)) {
    throw new Fault("invalid", `requested ipvlan flag '${flag}' is not valid, 'bridge' is the ipvlan driver default`, {
      remedy: `The flags are ${flags.join(", ")}.`,
    });
  }
  if (asked === "lo") throw new Fault("invalid", `loopback interface is not a valid ${kind} parent link`);
  if (asked !== "" && !isLinkName(asked)) {
    throw new Fault("invalid", `invalid parent interface ${JSON.stringify(asked.slice(0, 100))}`, {
      remedy: "Name an interface of this host, as ip link show lists them: -o parent=eth0.",
    });
  }
  const own = kind === "ipvlan" ? ["ipvlan_mode", "ipvlan_flag"] : ["macvlan_mode"];
  const known = new Set(["parent", bridgeOption.interfacePrefix, ...own]);
  return Object.keys(options)
    .filter((key) => !known.has(key))
    .map((key) => `The option ${key} is not known to the driver ${kind}, and does nothing.`);
}

/** Lines for `ip -batch` that make a parent of ours. */
export function madeParentLines({ parent, made }: ParentPlan, alias: string): string[] {
  if (made === undefined) return [];
  const line =
    made.kind === "dummy"
      ? `link add name ${parent} type dummy`
      : `link add link ${made.base} name ${parent} type vlan id ${made.id}`;
  return [line, `link set dev ${parent} alias "${alias}"`, `link set dev ${parent} addrgenmode none up`];
}

/** The line for `ip -batch` on the host that makes an endpoint in the namespace of a process. */
export function endpointLine({ kind, parent, mode, flag }: ParentPlan, plan: EndpointPlan, pid: number): string {
  // With passthru it has its parent's address, with ipvlan every endpoint has.
  const address = kind === "macvlan" && mode !== "passthru" ? ` address ${plan.macAddress}` : "";
  const way = flag === undefined ? mode : `${mode} ${flag}`;
  return `link add link ${parent} name ${plan.interface}${address} netns ${pid} type ${kind} mode ${way}`;
}

/** Kernel settings of an endpoint's interface, before it is started. */
export function endpointSettingsOf(plan: EndpointPlan, network: Network): Readonly<Record<string, string>> {
  // Where nobody named a gateway the routers of the network outside are heard, as by every machine there.
  const { isClosed, routesByDevice } = parentPlanOf(network);
  const hearsRouters = poolOf(network, 6)?.gateway === undefined && !isClosed && !routesByDevice;
  return {
    ...insideSettings(plan, hearsRouters),
    // Machines out there may know the address by another container's MAC address: they are told of the new one.
    [`net/ipv4/conf/${plan.interface}/arp_notify`]: "1",
    [`net/ipv6/conf/${plan.interface}/ndisc_notify`]: "1",
  };
}

/** Lines for `ip -batch` inside that give an endpoint its addresses. */
export function endpointAddressLines(plan: EndpointPlan, network: Network): string[] {
  const [pool4, pool6] = [poolOf(network, 4), poolOf(network, 6)];
  const places = {
    ...(pool4 !== undefined && { ipv4: { subnet: subnetFrom(pool4.subnet) } }),
    ...(pool6 !== undefined && { ipv6: { subnet: subnetFrom(pool6.subnet) } }),
  };
  return addressLines(plan, places, "replace");
}

function askedOf(kind: ParentKind, options: Network["options"]): { asked: string; mode: string; flag: string } {
  const { parent = "", [`${kind}_mode`]: mode = "", ipvlan_flag: flag = "" } = options;
  const [first = ""] = modes[kind];
  return {
    asked: parent,
    mode: mode === "" ? first : mode,
    flag: kind === "macvlan" || flag === "" ? "bridge" : flag,
  };
}

/** `eth0.50`: the VLAN 50 of eth0. */
function vlanOf(name: string): MadeParent | undefined {
  const [, base, digits] = /^([^.]+)\.(\d{1,4})$/.exec(name) ?? [];
  const id = Number(digits);
  return base === undefined || id < 1 || id > 4094 ? undefined : { kind: "vlan", base, id };
}
