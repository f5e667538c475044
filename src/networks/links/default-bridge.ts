import { Fault } from "#core/fault";
import {
  type Subnet,
  addressFrom,
  contains,
  firstHostOf,
  formatAddress,
  formatSubnet,
  hostRange,
  parseCidr,
  subnetFrom,
} from "../addresses/address.ts";
import { defaultBridgeSources } from "../addresses/subnet-choice.ts";
import { type HostView, clashesWith, freeSubnet } from "../addresses/occupied.ts";
import type { Network } from "../networks.ts";
import type { NetworkRecords } from "../records.ts";
import { bridgeOption, poolOf } from "./bridge-plan.ts";

/** What the default bridge needs. */
export interface DefaultBridgeOptions extends HostView {
  readonly records: NetworkRecords;
  /** `--bip`, such as `10.9.0.1/24`. */
  readonly address?: string;
  readonly bridgeName: string;
  readonly mtu: number;
  readonly createdNs: bigint;
}

/** Settles the subnet of the network `bridge`: the one asked for, the one it had, or a free one. Touches nothing on the host. */
export async function defineDefaultBridge(options: DefaultBridgeOptions): Promise<Network> {
  const { records, address } = options;
  const wanted = address === undefined ? undefined : parseBridgeAddress(address);
  const known = records.named("bridge");
  const inUse = known !== undefined && records.isUsed(known.id);
  const kept = known !== undefined && (wanted === undefined || inUse) ? placeOf(known) : undefined;
  return record(options, kept ?? wanted ?? (await freePlace(options)));
}

/** Since its subnet was chosen, a VPN or another daemon may have come to use it: then nobody of ours does, and we take another. */
export async function moveIfClashing(options: DefaultBridgeOptions, network: Network): Promise<Network> {
  const place = placeOf(network);
  if (place === undefined || options.address !== undefined || options.records.isUsed(network.id)) return network;
  const clashes = await clashesWith(options, place.subnet, { id: network.id });
  return clashes.length === 0 ? network : record(options, await freePlace(options, network.id));
}

interface DefaultPlace {
  readonly subnet: Subnet;
  readonly gateway: string;
}

async function freePlace(options: DefaultBridgeOptions, ownId?: string): Promise<DefaultPlace> {
  const own = ownId === undefined ? {} : { id: ownId };
  const subnet = await freeSubnet(options, defaultBridgeSources, 4, "Choose a free network with --bip", own);
  return { subnet, gateway: formatAddress(firstHostOf(subnet)) };
}

function record({ records, bridgeName, mtu, createdNs }: DefaultBridgeOptions, place: DefaultPlace): Network {
  return records.define({
    name: "bridge",
    driver: "bridge",
    createdNs,
    ipv4: true,
    ipv6: false,
    internal: false,
    attachable: false,
    ipam: {
      driver: "default",
      options: {},
      pools: [{ subnet: formatSubnet(place.subnet), gateway: place.gateway, auxiliary: {} }],
    },
    labels: {},
    options: {
      [bridgeOption.defaultBridge]: "true",
      [bridgeOption.talk]: "true",
      [bridgeOption.masquerade]: "true",
      [bridgeOption.hostBinding]: "0.0.0.0",
      [bridgeOption.name]: bridgeName,
      [bridgeOption.mtu]: String(mtu),
    },
  });
}

function parseBridgeAddress(text: string): DefaultPlace {
  const parsed = parseCidr(text);
  if (parsed === undefined || parsed.subnet.family !== 4 || parsed.subnet.prefixLength > 30) {
    throw new Fault("invalid", `invalid CIDR address: ${text}`, {
      remedy: "Give --bip an address with a prefix length of at most 30, such as 10.9.0.1/24.",
    });
  }
  const { first, last } = hostRange(parsed.subnet);
  if (parsed.address.value < first || parsed.address.value > last) {
    const [low, high] = [first, last].map((value) => formatAddress({ family: 4, value }));
    throw new Fault("invalid", `${text} is not an address that a bridge can have`, {
      remedy: `Choose one from ${low} to ${high}.`,
    });
  }
  return { subnet: parsed.subnet, gateway: formatAddress(parsed.address) };
}

function placeOf(network: Network): DefaultPlace | undefined {
  const pool = poolOf(network, 4);
  if (pool?.gateway === undefined) return undefined;
  const subnet = subnetFrom(pool.subnet);
  return contains(subnet, addressFrom(pool.gateway)) ? { subnet, gateway: pool.gateway } : undefined;
}
