import { isIPv4, isIPv6 } from "node:net";
import { Fault } from "#core/fault";
import type { EndpointRequest, Network } from "#networks";
import { isDefaultBridge } from "./network-mode.ts";

/** Checks what an endpoint asks for by itself. Fault `invalid` in Docker's words. */
export function checkEndpointRequest(request: EndpointRequest): void {
  if (isDefaultBridge(request.network)) checkDefault(request);
  const { ipv4, ipv6, linkLocal, macAddress, aliases } = request;
  if (ipv4 !== undefined && !isIPv4(ipv4)) throw wrong(`invalid IPv4 address: ${quoted(ipv4)}`);
  if (ipv6 !== undefined && (!isIPv6(ipv6) || ipv6.includes("%"))) throw wrong(`invalid IPv6 address: ${quoted(ipv6)}`);
  const stray = linkLocal.find(
    (address) => !/^169\.254\.|^fe[89ab][0-9a-f]:/i.test(address) || !(isIPv4(address) || isIPv6(address)),
  );
  if (stray !== undefined) throw wrong(`invalid link-local IP address: ${quoted(stray)}`);
  if (macAddress !== undefined && !isUnicastMac(macAddress)) {
    throw wrong(
      `invalid MAC address: ${quoted(macAddress)}`,
      "Write six octets, the first one even: 02:42:ac:11:00:02.",
    );
  }
  const name = aliases.find((alias) => !/^[\w](?:[\w.-]{0,251}\w)?\.?$/.test(alias));
  if (name !== undefined)
    throw wrong(`invalid network alias ${quoted(name)}`, "Names have letters, digits, _ . and -.");
}

/** Checks what an endpoint asks of that network. Fault `invalid` in Docker's words. */
export function checkEndpoint(request: EndpointRequest, network: Network): void {
  checkEndpointRequest(request);
  const { ipv4, ipv6 } = request;
  const chosen = [ipv4, ipv6].filter((address) => address !== undefined);
  if (chosen.length > 0 && network.ipam.pools.length === 0) {
    throw wrong("user specified IP address is supported only when connecting to networks with user configured subnets");
  }
}

function checkDefault({ ipv4, ipv6, aliases }: EndpointRequest): void {
  const problems = [
    ...(ipv4 === undefined && ipv6 === undefined
      ? []
      : ["user specified IP address is supported on user defined networks only"]),
    ...(aliases.length === 0 ? [] : ["network-scoped aliases are only supported for user-defined networks"]),
  ];
  if (problems.length > 0) {
    throw wrong(`invalid config for network bridge: invalid endpoint settings:\n${problems.join("\n")}`);
  }
}

function isUnicastMac(text: string): boolean {
  return /^[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}$/i.test(text) && Number.parseInt(text.slice(0, 2), 16) % 2 === 0;
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

function wrong(message: string, remedy?: string): Fault {
  return new Fault("invalid", message, remedy === undefined ? {} : { remedy });
}
