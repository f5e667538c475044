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
import type { Occupied, SubnetSource } from "./addresses/subnet-choice.ts";
import { type Own, clashesWith, freeSubnet, ownClashesWith } from "./addresses/occupied.ts";
import { withSubnetLock } from "./addresses/subnet-lock.ts";
import { isHosted } from "./drivers/driver.ts";
import { bridgeOption, poolOf } from "./links/bridge-plan.ts";
import { addressesOf } from "./links/host-links.ts";
import { reportNetwork } from "./network-events.ts";
import type { IpamPool, Network, NetworkDriver, NetworkRequest } from "./networks.ts";
import { unknownPlugin } from "./unknown-plugin.ts";
import { isPredefined } from "./which-network.ts";
import type { Wiring } from "./wiring.ts";

/** Makes a network and what its driver needs for it on the host: all of it or none. */
export async function createNetwork(
  wiring: Wiring,
  request: NetworkRequest,
): Promise<{ id: string; warnings: readonly string[] }> {
  checkName(request.name);
  const driver = driverNamed(request);
  checkIpam(request, driver);
  const warnings = await wiring.drivers(driver).check(request);
  const network = await withSubnetLock(async () => await define(wiring, request, driver));
  reportNetwork(wiring.events, "create", network);
  return { id: network.id, warnings };
}

/** The record and the link: while others of this host must not choose the same addresses. */
async function define(wiring: Wiring, request: NetworkRequest, driver: NetworkDriver): Promise<Network> {
  const { records, now } = wiring;
  mustBeFree(wiring, request, driver);
  const pools = await choosePools(wiring, request, driver);
  const { name, ipv4, ipv6, internal, attachable, options, labels, ipam } = request;
  const network: Network = {
    id: newId(),
    name,
    driver,
    createdNs: now(),
    ipv4,
    ipv6,
    internal,
    attachable,
    ipam: { driver: ipam.driver === "" ? "default" : ipam.driver, options: ipam.options, pools },
    options,
    labels,
  };
  mustBeFree(wiring, request, driver);
  await using undo = new AsyncDisposableStack();
  records.add(network);
  undo.defer(() => records.remove(network.id));
  await wiring.drivers(driver).create(network, undo);
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

function driverNamed({ driver, scope }: NetworkRequest): NetworkDriver {
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
  if (driver === "macvlan" || driver === "ipvlan") return driver;
  if (["", "bridge", "default"].includes(driver)) return "bridge";
  throw unknownPlugin(driver, "Slipway has the drivers bridge, macvlan, ipvlan, host and none.");
}

function mustBeFree({ records, drivers }: Wiring, request: NetworkRequest, driver: NetworkDriver): void {
  const { name } = request;
  if (records.named(name) !== undefined) throw new Fault("conflict", `network with name ${name} already exists`);
  drivers(driver).mustBeFree(request);
}

/** The subnets as asked for, completed by free ones and by gateways. */
async function choosePools(wiring: Wiring, request: NetworkRequest, driver: NetworkDriver): Promise<IpamPool[]> {
  const pools: IpamPool[] = [];
  const hosted = isHosted({ driver });
  const link = hosted ? request.options[bridgeOption.name] : undefined;
  // Those of a bridge that somebody else made.
  const addresses = link === undefined ? [] : await addressesOf(wiring.programs, link);
  for (const family of [4, 6] as const) {
    if (!(family === 4 ? request.ipv4 : request.ipv6)) continue;
    const asked = poolOf(request, family);
    const own = link === undefined ? {} : { link };
    const subnet = asked === undefined ? await freePoolSubnet(wiring, family, own) : subnetFrom(asked.subnet);
    // The subnet of a network outside may well be one that this host is in too.
    if (asked !== undefined) {
      mustNotClash(subnet, hosted ? await clashesWith(wiring, subnet, own) : ownClashesWith(wiring, subnet));
    }
    const there = addresses.flatMap((text) => parseCidr(text)?.address ?? []).filter((each) => contains(subnet, each));
    const gateway = asked?.gateway ?? formatAddress(there[0] ?? firstHostOf(subnet));
    const others = there.map(formatAddress).filter((address) => address !== gateway);
    pools.push({
      ...asked,
      subnet: formatSubnet(subnet),
      // Outside nobody is a gateway who was not named as one; as in Docker 28.
      ...(hosted && { gateway }),
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

function mustNotClash(subnet: Subnet, clashes: readonly Occupied[]): void {
  const clash = clashes.find((other) => other.isRouted !== true || other.subnet.prefixLength >= subnet.prefixLength);
  if (clash === undefined) return;
  throw new Fault("forbidden", "invalid pool request: Pool overlaps with other one on this address space", {
    remedy: `${formatSubnet(subnet)} clashes with ${clash.by}: choose another subnet.`,
  });
}
