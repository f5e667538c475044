import { parseLink } from "#core/container-link";
import { randomBytes } from "node:crypto";
import { Fault } from "#core/fault";
import { newId } from "#core/ids";
import { type Address, formatAddress, formatMac, macOf, parseAddress } from "../addresses/address.ts";
import { noAddressLeft } from "../addresses/network-addresses.ts";
import type { Driver, NetworkPresence } from "../drivers/driver.ts";
import { bridgeOption } from "../links/bridge-plan.ts";
import type { EndpointPlan } from "../links/link-commands.ts";
import type { EndpointRequest, Network } from "../networks.ts";
import type { EndpointRecord } from "../records.ts";
import type { Wiring } from "../wiring.ts";
import { checkEndpointOptions, endpointSettings } from "./endpoint-options.ts";
import { whenGone } from "./release.ts";

/** An endpoint with its addresses taken, before anything is made for it. */
export interface PlannedEndpoint {
  readonly record: EndpointRecord;
  readonly plan: EndpointPlan;
  readonly driver: Driver;
  /** Kernel settings of its interface. */
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * Takes what an endpoint needs; `undo` gives it back when its link is gone.
 *
 * @param taken - names of interfaces that the container has already
 */
export async function planEndpoint(
  wiring: Wiring,
  containerId: string,
  network: Network,
  request: EndpointRequest,
  taken: ReadonlySet<string>,
  undo: AsyncDisposableStack,
): Promise<PlannedEndpoint> {
  checkEndpointOptions(request.options);
  const driver = wiring.drivers(network.driver);
  const presence = driver.of(network);
  await presence.ensure();
  const macAddress = askedMac(presence, request);
  const ipv4 = await addressFor(wiring, presence, 4, request.ipv4);
  const ipv6 = await addressFor(wiring, presence, 6, request.ipv6).catch((error: unknown) => {
    presence.addresses.free(ipv4);
    throw error;
  });
  const link = driver.newLink();
  undo.defer(() => whenGone(wiring, link, () => presence.addresses.free(ipv4, ipv6)));
  const name = interfaceName(presence.network, request, taken);
  const plan = {
    link,
    interface: name,
    macAddress: macAddress ?? (ipv4 === undefined ? randomMac() : macOf(ipv4)),
    ...(ipv4 !== undefined && { ipv4 }),
    ...(ipv6 !== undefined && { ipv6 }),
    linkLocal: request.linkLocal.flatMap((text) => parseAddress(text) ?? []),
  };
  return {
    plan,
    driver,
    settings: endpointSettings(request.options, name),
    record: recordOf(containerId, presence.network, request, plan),
  };
}

/** What is kept of an endpoint. */
export function recordOf(
  containerId: string,
  network: Network,
  request: EndpointRequest,
  plan: EndpointPlan,
): EndpointRecord {
  return {
    containerId,
    network,
    endpointId: newId(),
    ...(plan.ipv4 !== undefined && { ipv4: formatAddress(plan.ipv4) }),
    ...(plan.ipv6 !== undefined && { ipv6: formatAddress(plan.ipv6) }),
    macAddress: plan.macAddress,
    link: plan.link,
    interface: plan.interface,
    linkLocal: request.linkLocal,
    aliases: request.aliases,
    links: linksOf(request),
    gatewayPriority: request.gatewayPriority,
  };
}

function askedMac({ fixedMac }: NetworkPresence, { macAddress }: EndpointRequest): string | undefined {
  if (macAddress === undefined) return fixedMac;
  if (fixedMac === "") {
    throw new Fault("invalid", "ipvlan interfaces do not support custom mac address assignment", {
      remedy: "All containers of an ipvlan network have the MAC address of its parent interface.",
    });
  }
  return macAddress.replaceAll("-", ":").toLowerCase();
}

async function addressFor(
  { departures }: Wiring,
  { network, addresses }: NetworkPresence,
  family: 4 | 6,
  wanted: string | undefined,
): Promise<Address | undefined> {
  if (!(family === 4 ? network.ipv4 : network.ipv6)) {
    if (wanted === undefined) return undefined;
    throw new Fault("invalid", `the network ${network.name} has no IPv${family}: it cannot give ${wanted}`);
  }
  if (wanted !== undefined) {
    try {
      return addresses.claim(wanted);
    } catch (error) {
      if (!(error instanceof Fault) || error.kind !== "forbidden") throw error;
      // Perhaps of this container's own run before.
      await departures.sweep();
      return addresses.claim(wanted);
    }
  }
  const free = addresses.take(family);
  if (free !== undefined) return free;
  await departures.sweep();
  const freed = addresses.take(family);
  if (freed === undefined) throw noAddressLeft(network, family);
  return freed;
}

function interfaceName({ options }: Network, request: EndpointRequest, taken: ReadonlySet<string>): string {
  const wanted = request.options["com.docker.network.endpoint.ifname"];
  if (wanted !== undefined) {
    if (!taken.has(wanted)) return wanted;
    throw new Fault("conflict", `the container has an interface ${wanted} already`);
  }
  const prefix = options[bridgeOption.interfacePrefix] ?? "eth";
  for (let index = 0; ; index += 1) if (!taken.has(`${prefix}${index}`)) return `${prefix}${index}`;
}

function linksOf({ links }: EndpointRequest): Record<string, string> {
  return Object.fromEntries(
    links.map((link) => {
      const { container, alias } = parseLink(link);
      return [alias, container];
    }),
  );
}

function randomMac(): string {
  return formatMac([0x02, 0x42, ...randomBytes(4)]);
}
