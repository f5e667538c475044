import { poolOf } from "../links/bridge-plan.ts";
import type { Attached, Endpoint, EndpointAddress } from "../networks.ts";
import { effectivePorts } from "../ports/publications.ts";
import type { EndpointRecord, Sandbox } from "../records.ts";
import { dnsNamesOf, isPlaced } from "./names-of.ts";

/** Where a container is, as the door shows it. */
export function attachedFrom(sandbox: Sandbox): Attached {
  return {
    endpoints: sandbox.endpoints.map((record) => endpointFrom(record, sandbox)),
    ports: effectivePorts(sandbox),
  };
}

export function endpointFrom(record: EndpointRecord, container: Pick<Sandbox, "containerName" | "hostname">): Endpoint {
  const { network } = record;
  const [ipv4, ipv6] = [addressIn(record, 4), addressIn(record, 6)];
  return {
    id: record.endpointId,
    networkId: network.id,
    networkName: network.name,
    ...(ipv4 !== undefined && { ipv4 }),
    ...(ipv6 !== undefined && { ipv6 }),
    macAddress: record.macAddress,
    interface: record.interface,
    dnsNames: isPlaced(record) ? dnsNamesOf(record, container) : [],
  };
}

function addressIn({ network, ipv4, ipv6 }: EndpointRecord, family: 4 | 6): EndpointAddress | undefined {
  const address = family === 4 ? ipv4 : ipv6;
  const pool = poolOf(network, family);
  if (address === undefined || pool === undefined) return undefined;
  const [, length] = pool.subnet.split("/");
  return { address, prefixLength: Number(length), gateway: pool.gateway ?? "" };
}
