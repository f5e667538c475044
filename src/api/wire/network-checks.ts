import { Fault } from "#core/fault";
import { type Check, flag, integer, list, map, object, text } from "./check.ts";
import type { EndpointSettings } from "./container-config.ts";
import type {
  NetworkConnectRequest,
  NetworkCreateRequest,
  NetworkDisconnectRequest,
  NetworkIpam,
  NetworkIpamPool,
} from "./network-types.ts";

/** Checks the body of `POST /networks/create`. Fault `invalid` in Docker's words. */
export function checkNetworkCreate(body: unknown): NetworkCreateRequest {
  return networkCreate(needed(body), "");
}

/** Checks the body of `POST /networks/{id}/connect`. */
export function checkNetworkConnect(body: unknown): NetworkConnectRequest {
  return networkConnect(needed(body), "");
}

/** Checks the body of `POST /networks/{id}/disconnect`. */
export function checkNetworkDisconnect(body: unknown): NetworkDisconnectRequest {
  return networkDisconnect(needed(body), "");
}

const texts = list(text);
const textMap = map(text);

/** A place in a network, of `create` and of `connect`. */
export const endpointSettings = object<EndpointSettings>({
  IPAMConfig: object<NonNullable<EndpointSettings["IPAMConfig"]>>({
    IPv4Address: text,
    IPv6Address: text,
    LinkLocalIPs: texts,
  }),
  Links: texts,
  Aliases: texts,
  DriverOpts: textMap,
  GwPriority: integer,
  NetworkID: text,
  EndpointID: text,
  Gateway: text,
  IPAddress: text,
  MacAddress: text,
  IPPrefixLen: integer,
  IPv6Gateway: text,
  GlobalIPv6Address: text,
  GlobalIPv6PrefixLen: integer,
  DNSNames: texts,
});

const knownPool = object<NetworkIpamPool & { readonly AuxAddress: Readonly<Record<string, string>> }>({
  Subnet: text,
  IPRange: text,
  Gateway: text,
  AuxiliaryAddresses: textMap,
  // What the API's description of old called it, and clients made from that still send.
  AuxAddress: textMap,
});

const ipamPool: Check<NetworkIpamPool> = (value, place) => {
  const { AuxAddress: older, AuxiliaryAddresses: auxiliary = older, ...rest } = knownPool(value, place);
  return { ...rest, ...(auxiliary !== undefined && { AuxiliaryAddresses: auxiliary }) };
};

const networkCreate = object<NetworkCreateRequest>({
  Name: text,
  CheckDuplicate: flag,
  Driver: text,
  Scope: text,
  EnableIPv4: flag,
  EnableIPv6: flag,
  IPAM: object<NetworkIpam>({ Driver: text, Options: textMap, Config: list(ipamPool) }),
  Internal: flag,
  Attachable: flag,
  Ingress: flag,
  ConfigOnly: flag,
  ConfigFrom: object<NonNullable<NetworkCreateRequest["ConfigFrom"]>>({ Network: text }),
  Options: textMap,
  Labels: textMap,
});

const networkConnect = object<NetworkConnectRequest>({ Container: text, EndpointConfig: endpointSettings });

const networkDisconnect = object<NetworkDisconnectRequest>({ Container: text, Force: flag });

function needed(body: unknown): unknown {
  if (body === undefined) throw new Fault("invalid", "invalid JSON: got EOF while reading request body");
  return body ?? {};
}
