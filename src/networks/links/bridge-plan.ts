import { createHash } from "node:crypto";
import { parseGoBoolean } from "#core/go-boolean";
import { addressFrom, formatMac, subnetFrom } from "../addresses/address.ts";
import type { NetworkRules } from "../firewall/ruleset.ts";
import type { Ipam, IpamPool, Network } from "../networks.ts";
import type { BridgePlan, Place } from "./link-commands.ts";

/** Docker's names of the bridge driver's options. */
export const bridgeOption = {
  name: "com.docker.network.bridge.name",
  defaultBridge: "com.docker.network.bridge.default_bridge",
  talk: "com.docker.network.bridge.enable_icc",
  masquerade: "com.docker.network.bridge.enable_ip_masquerade",
  hostBinding: "com.docker.network.bridge.host_binding_ipv4",
  inhibitIpv4: "com.docker.network.bridge.inhibit_ipv4",
  gatewayMode4: "com.docker.network.bridge.gateway_mode_ipv4",
  gatewayMode6: "com.docker.network.bridge.gateway_mode_ipv6",
  interfacePrefix: "com.docker.network.container_iface_prefix",
  mtu: "com.docker.network.driver.mtu",
} as const;

/** The network's bridge as data. */
export function bridgePlanOf(network: Network, alias: string, defaultMtu: number): BridgePlan {
  const { id, options } = network;
  const [ipv4, ipv6] = [placeOf(network, 4), placeOf(network, 6)];
  return {
    name: bridgeNameOf(network),
    mac: macFrom(`bridge ${id}`),
    alias,
    mtu: Number(options[bridgeOption.mtu] ?? defaultMtu),
    ...(ipv4 !== undefined && { ipv4 }),
    ...(ipv6 !== undefined && { ipv6 }),
    separates: !flag(network, bridgeOption.talk, true),
  };
}

/** The firewall's part of the network. */
export function networkRulesOf(network: Network): NetworkRules {
  const { ipv4, ipv6, internal } = network;
  const masquerades = !internal && flag(network, bridgeOption.masquerade, true);
  const modes = { ipv4: gatewayMode(network, 4), ipv6: gatewayMode(network, 6) };
  const families = (wanted: string): NetworkRules["open"] => ({
    ipv4: !internal && modes.ipv4 === wanted,
    ipv6: !internal && modes.ipv6 === wanted,
  });
  return {
    bridge: bridgeNameOf(network),
    talks: flag(network, bridgeOption.talk, true),
    internal,
    masquerades: {
      ipv4: masquerades && ipv4 && modes.ipv4 !== "routed",
      ipv6: masquerades && ipv6 && modes.ipv6 !== "routed",
    },
    open: families("nat-unprotected"),
    routed: families("routed"),
  };
}

export function bridgeNameOf({ id, options }: Network): string {
  return options[bridgeOption.name] ?? `br-${id.slice(0, 12)}`;
}

/** `nat`, `nat-unprotected`, `routed` or `isolated`. */
export function gatewayMode({ options }: Pick<Network, "options">, family: 4 | 6): string {
  return options[family === 4 ? bridgeOption.gatewayMode4 : bridgeOption.gatewayMode6] ?? "nat";
}

/** The pool that serves the family. */
export function poolOf(
  { ipam }: { readonly ipam: Ipam },
  family: 4 | 6,
): (IpamPool & { readonly subnet: string }) | undefined {
  return ipam.pools.find(
    (pool): pool is IpamPool & { subnet: string } =>
      pool.subnet !== undefined && pool.subnet.includes(":") === (family === 6),
  );
}

/** A fixed MAC address: a bridge would else take its lowest port's and change it with every container. */
function macFrom(seed: string): string {
  const digest = createHash("sha256").update(seed).digest();
  return formatMac([0x02, ...digest.subarray(0, 5)]);
}

function placeOf(network: Network, family: 4 | 6): Place | undefined {
  const pool = poolOf(network, family);
  if (pool === undefined || !(family === 4 ? network.ipv4 : network.ipv6)) return undefined;
  const bare =
    gatewayMode(network, family) === "isolated" || (family === 4 && flag(network, bridgeOption.inhibitIpv4, false));
  const gateway = pool.gateway === undefined || bare ? undefined : addressFrom(pool.gateway);
  return { subnet: subnetFrom(pool.subnet), gateway };
}

function flag({ options }: Pick<Network, "options">, name: string, otherwise: boolean): boolean {
  const text = options[name];
  return text === undefined ? otherwise : (parseGoBoolean(text) ?? otherwise);
}
