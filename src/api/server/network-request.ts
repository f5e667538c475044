import type { NetworkCreateRequest, NetworkIpamPool } from "#api/wire";
import { Fault } from "#core/fault";
import type { IpamPool, NetworkRequest } from "#networks";

/** The create request as the room takes it, which checks the rest. Fault `unsupported` for what only a swarm has. */
export function networkRequest(request: NetworkCreateRequest): NetworkRequest {
  refuseSwarm(request);
  const { Driver: driver = "", IPAM: ipam = {} } = request;
  return {
    name: request.Name ?? "",
    driver: driver === "default" ? "" : driver,
    scope: request.Scope ?? "",
    ipv4: request.EnableIPv4 ?? true,
    ipv6: request.EnableIPv6 ?? false,
    internal: request.Internal ?? false,
    attachable: request.Attachable ?? false,
    ipam: {
      driver: ipam.Driver ?? "",
      options: ipam.Options ?? {},
      pools: (ipam.Config ?? []).map(poolOf).filter(asksForSomething),
    },
    options: request.Options ?? {},
    labels: request.Labels ?? {},
  };
}

function refuseSwarm({ ConfigFrom: from, ConfigOnly: only, Ingress: ingress }: NetworkCreateRequest): void {
  const what =
    ingress === true
      ? "an ingress network (Ingress)"
      : only === true
        ? "a network of configuration alone (ConfigOnly)"
        : (from?.Network ?? "") === ""
          ? undefined
          : "a network with another one's configuration (ConfigFrom)";
  if (what === undefined) return;
  throw new Fault("unsupported", `${what} belongs to a swarm, and Slipway has none`);
}

function poolOf({ Subnet, IPRange, Gateway, AuxiliaryAddresses }: NetworkIpamPool): IpamPool {
  return {
    ...(isFilled(Subnet) && { subnet: Subnet }),
    ...(isFilled(IPRange) && { range: IPRange }),
    ...(isFilled(Gateway) && { gateway: Gateway }),
    auxiliary: AuxiliaryAddresses ?? {},
  };
}

/** Docker takes an empty pool as none at all. */
function asksForSomething({ auxiliary, gateway, range, subnet }: IpamPool): boolean {
  return [subnet, range, gateway].some((text) => text !== undefined) || Object.keys(auxiliary).length > 0;
}

function isFilled(text: string | undefined): text is string {
  return text !== undefined && text !== "";
}
