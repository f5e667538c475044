import { parseLink } from "#core/container-link";
import { randomBytes } from "node:crypto";
import { Fault } from "#core/fault";
import { newId } from "#core/ids";
import { type Address, formatAddress, formatMac, macOf, parseAddress } from "../addresses/address.ts";
import { type Bridge, noAddressLeft } from "../links/bridge.ts";
import { bridgeOption } from "../links/bridge-plan.ts";
import type { EndpointPlan } from "../links/link-commands.ts";
import type { EndpointRequest, Network } from "../networks.ts";
import type { EndpointRecord } from "../records.ts";
import type { Wiring } from "../wiring.ts";
import { checkEndpointOptions, endpointSettings } from "./endpoint-options.ts";

/** An endpoint with its addresses taken, before anything is made for it. */
export interface PlannedEndpoint {
  readonly record: EndpointRecord;
  readonly plan: EndpointPlan;
  readonly bridge: Bridge;
  /** Kernel settings of its interface. */
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * Takes what an endpoint in a bridge network needs; `undo` gives it back when its link is gone.
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
  const bridge = wiring.bridges.of(network);
  await bridge.ensure();
  const ipv4 = await addressFor(wiring, bridge, 4, request.ipv4);
  const ipv6 = await addressFor(wiring, bridge, 6, request.ipv6).catch((error: unknown) => {
    freeAll(bridge, [ipv4]);
    throw error;
  });
  const link = wiring.names.newLink();
  // With its link, not before: until then packets may still come.
  undo.defer(() => wiring.departures.add(link, () => freeAll(bridge, [ipv4, ipv6])));
  const name = interfaceName(bridge.network, request, taken);
  const plan = {
    link,
    interface: name,
    macAddress:
      request.macAddress?.replaceAll("-", ":").toLowerCase() ?? (ipv4 === undefined ? randomMac() : macOf(ipv4)),
    ...(ipv4 !== undefined && { ipv4 }),
    ...(ipv6 !== undefined && { ipv6 }),
    linkLocal: request.linkLocal.flatMap((text) => parseAddress(text) ?? []),
  };
  return {
    plan,
    bridge,
    settings: endpointSettings(request.options, name),
    record: recordOf(containerId, bridge.network, request, plan),
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

export function freeAll(bridge: Bridge, addresses: readonly (Address | undefined)[]): void {
  for (const address of addresses) if (address !== undefined) bridge.freeAddress(address);
}

async function addressFor(
  { departures }: Wiring,
  bridge: Bridge,
  family: 4 | 6,
  wanted: string | undefined,
): Promise<Address | undefined> {
  const { network } = bridge;
  if (!(family === 4 ? network.ipv4 : network.ipv6)) {
    if (wanted === undefined) return undefined;
    throw new Fault("invalid", `the network ${network.name} has no IPv${family}: it cannot give ${wanted}`);
  }
  if (wanted !== undefined) {
    try {
      return bridge.claimAddress(wanted);
    } catch (error) {
      if (!(error instanceof Fault) || error.kind !== "forbidden") throw error;
      // Perhaps of this container's own run before.
      await departures.sweep();
      return bridge.claimAddress(wanted);
    }
  }
  const free = bridge.takeAddress(family);
  if (free !== undefined) return free;
  await departures.sweep();
  const freed = bridge.takeAddress(family);
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
