import { createHash } from "node:crypto";
import { Fault } from "#core/fault";
import { newId } from "#core/ids";
import {
  type Family,
  type Subnet,
  contains,
  firstHostOf,
  formatAddress,
  formatSubnet,
  parseCidr,
  subnetFrom,
} from "./addresses/address.ts";
import { checkIpam } from "./addresses/check-ipam.ts";
import { type Own, clashesWith, freeSubnet } from "./addresses/occupied.ts";
import type { SubnetSource } from "./addresses/subnet-choice.ts";
import { withSubnetLock } from "./addresses/subnet-lock.ts";
import { checkBridgeOptions } from "./create-options.ts";
import { bridgeNameOf, bridgeOption, networkRulesOf, poolOf } from "./links/bridge-plan.ts";
import { addressesOf } from "./links/host-links.ts";
import { reportNetwork } from "./network-events.ts";
import type { IpamPool, Network, NetworkRequest } from "./networks.ts";
import { unknownPlugin } from "./unknown-plugin.ts";
import { isPredefined } from "./which-network.ts";
import type { Wiring } from "./wiring.ts";

/** Makes a network, its bridge and its part of the firewall: all of it or none. */
export async function createNetwork(
  wiring: Wiring,
  request: NetworkRequest,
): Promise<{ id: string; warnings: readonly string[] }> {
  checkName(request.name);
  checkDriver(request);
  checkIpam(request);
  const warnings = checkBridgeOptions(request.options, request.internal);
  const network = await withSubnetLock(async () => await define(wiring, request));
  reportNetwork(wiring.events, "create", network);
  return { id: network.id, warnings };
}

/** The record and the link: while others of this host must not choose the same addresses. */
async function define(wiring: Wiring, request: NetworkRequest): Promise<Network> {
  const { records, bridges, firewall, now } = wiring;
  mustBeFree(wiring, request);
  const pools = await choosePools(wiring, request);
  const { name, ipv4, ipv6, internal, attachable, options, labels, ipam } = request;
  const network: Network = {
    id: newId(),
    name,
    driver: "bridge",
    createdNs: now(),
    ipv4,
    ipv6,
    internal,
    attachable,
    ipam: { driver: ipam.driver === "" ? "default" : ipam.driver, options: ipam.options, pools },
    options,
    labels,
  };
  mustBeFree(wiring, request);
  await using undo = new AsyncDisposableStack();
  records.add(network);
  undo.defer(() => {
    records.remove(network.id);
    bridges.drop(network);
  });
  const bridge = bridges.of(network);
  undo.defer(async () => await bridge.remove());
  // Perhaps the whole table was written with it.
  undo.defer(() => firewall.forget());
  await bridge.ensure();
  await firewall.addNetwork(networkRulesOf(network));
  undo.move();
  return network;
}

function checkName(name: string): void {
  if (name.trim() === "") throw new Fault("invalid", "invalid name: name is empty");
  if (isPredefined(name)) throw new Fault("forbidden", `operation is not permitted on predefined ${name} network `);
  if (!/^[a-zA-Z0-9][\w.-]*$/.test(name) || name.length > 255) {
    throw new Fault("invalid", `invalid network name ${JSON.stringify(name.slice(0, 100))}`, {
      remedy: "Names begin with a letter or digit, and go on with those and _ . -",
    });
  }
}

function checkDriver({ driver, scope }: NetworkRequest): void {
  if (driver === "overlay" || scope === "swarm") {
    throw new Fault(
      "unavailable",
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
      {
        remedy: "Slipway has no swarm; use the driver bridge.",
      },
    );
  }
  if (driver === "host" || driver === "null") {
    throw new Fault("forbidden", `only one instance of "${driver}" network is allowed`);
  }
  if (driver === "macvlan" || driver === "ipvlan") {
    throw new Fault("unsupported", `the driver ${driver} is not supported yet`, { remedy: "Use the driver bridge." });
  }
  if (!["", "bridge", "default"].includes(driver)) {
    throw unknownPlugin(driver, "Slipway has the drivers bridge, host and none.");
  }
}

function mustBeFree({ records }: Wiring, { name, options }: NetworkRequest): void {
  if (records.named(name) !== undefined) throw new Fault("conflict", `network with name ${name} already exists`);
  const bridge = options[bridgeOption.name];
  const other =
    bridge === undefined
      ? undefined
      : records.list().find((each) => each.driver === "bridge" && bridgeNameOf(each) === bridge);
  if (other === undefined) return;
  throw new Fault("forbidden", `cannot create network with bridge name ${bridge}: the network ${other.name} has it`);
}

/** The subnets as asked for, completed by free ones and by gateways. */
async function choosePools(wiring: Wiring, request: NetworkRequest): Promise<IpamPool[]> {
  const pools: IpamPool[] = [];
  const link = request.options[bridgeOption.name];
  // Those of a bridge that somebody else made.
  const addresses = link === undefined ? [] : await addressesOf(wiring.programs, link);
  for (const family of [4, 6] as const) {
    if (!(family === 4 ? request.ipv4 : request.ipv6)) continue;
    const asked = poolOf(request, family);
    const own = link === undefined ? {} : { link };
    const subnet =
      asked === undefined
        ? await freePoolSubnet(wiring, family, own)
        : await mustNotClash(wiring, subnetFrom(asked.subnet), own);
    const there = addresses.flatMap((text) => parseCidr(text)?.address ?? []).filter((each) => contains(subnet, each));
    const gateway = asked?.gateway ?? formatAddress(there[0] ?? firstHostOf(subnet));
    const others = there.map(formatAddress).filter((address) => address !== gateway);
    pools.push({
      ...asked,
      subnet: formatSubnet(subnet),
      gateway,
      auxiliary: {
        ...asked?.auxiliary,
        // No container may get them.
        ...Object.fromEntries(others.map((address, index) => [`${link}.${index}`, address])),
      },
    });
  }
  return pools;
}

async function freePoolSubnet(wiring: Wiring, family: Family, own: Own): Promise<Subnet> {
  const ofFamily = wiring.sources.filter(({ base }) => base.family === family);
  return await freeSubnet(
    wiring,
    ofFamily.length === 0 && family === 6 ? [localSource(wiring.names.table)] : ofFamily,
    family,
    "Choose a free subnet with --subnet, or give the daemon other pools with --default-address-pool",
    own,
  );
}

/** A /48 of the unique local addresses (RFC 4193) that follows from the instance: 65,536 networks of /64. */
function localSource(instance: string): SubnetSource {
  const digits = createHash("sha256").update(`addresses of ${instance}`).digest("hex").slice(0, 10);
  return { base: subnetFrom(`fd${digits.slice(0, 2)}:${digits.slice(2, 6)}:${digits.slice(6)}::/48`), size: 64 };
}

async function mustNotClash(wiring: Wiring, subnet: Subnet, own: Own): Promise<Subnet> {
  const clashes = await clashesWith(wiring, subnet, own);
  const clash = clashes.find((other) => other.isRouted !== true || other.subnet.prefixLength >= subnet.prefixLength);
  if (clash === undefined) return subnet;
  throw new Fault("forbidden", "invalid pool request: Pool overlaps with other one on this address space", {
    remedy: `${formatSubnet(subnet)} clashes with ${clash.by}: choose another subnet.`,
  });
}
