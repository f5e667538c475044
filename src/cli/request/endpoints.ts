import type { EndpointSettings } from "#api/client";
import { csvFields } from "../flags/csv.ts";

/** The flags of `run` and `create` that say where the container is in the network. */
export interface NetworkFlags {
  readonly network: readonly string[];
  readonly net: readonly string[];
  readonly "network-alias": readonly string[];
  readonly "net-alias": readonly string[];
  readonly ip: string;
  readonly ip6: string;
  readonly link: readonly string[];
  readonly "link-local-ip": readonly string[];
  readonly "mac-address": string;
}

/** What the flags come to: `HostConfig.NetworkMode`, and the endpoints by network. Throws an Error in Docker's words. */
export function readNetworks(flags: NetworkFlags): {
  readonly mode: string;
  readonly endpoints: Record<string, Partial<EndpointSettings>>;
} {
  const wanted = [...flags.network, ...flags.net].map(readNetwork);
  const [first = blank("default"), ...others] = wanted;
  const all = [withContainerFlags(first, flags), ...others];
  for (const { target } of all) if (target.trim() === "") throw new Error("no name set for network");
  const endpoints: Record<string, Partial<EndpointSettings>> = {};
  for (const place of all) {
    const settings = settingsOf(place);
    if (Object.hasOwn(endpoints, place.target)) {
      throw new Error(`network ${JSON.stringify(place.target)} is specified multiple times`);
    }
    // As Docker's client has it: older engines did not expect the one network that the mode names already.
    if (wanted.length === 1 && Object.keys(settings).length === 0) continue;
    endpoints[place.target] = settings;
  }
  if (all.some(({ target }) => isUserDefined(target)) && !all.every(({ target }) => isUserDefined(target))) {
    throw new Error("conflicting options: cannot attach both user-defined and non-user-defined network-modes");
  }
  return { mode: first.target, endpoints };
}

/** Checks one `--network`. Throws an Error in Docker's words. */
export function checkNetwork(item: string): string {
  readNetwork(item);
  return item;
}

/** Checks one `--link`: `container` or `container:alias`. Throws an Error in Docker's words. */
export function checkLink(item: string): string {
  if (item === "") throw new Error("empty string specified for links");
  if (item.split(":").length > 2) throw new Error(`bad format for links: ${item}`);
  return item;
}

/** The endpoint's own addresses; absent when there are none. */
export function ipamOf(
  ipv4: string,
  ipv6: string,
  linkLocal: readonly string[],
): { readonly IPAMConfig?: NonNullable<EndpointSettings["IPAMConfig"]> } {
  if (ipv4 === "" && ipv6 === "" && linkLocal.length === 0) return {};
  return {
    IPAMConfig: {
      ...(ipv4 !== "" && { IPv4Address: ipv4 }),
      ...(ipv6 !== "" && { IPv6Address: ipv6 }),
      ...(linkLocal.length > 0 && { LinkLocalIPs: linkLocal }),
    },
  };
}

interface Place {
  target: string;
  aliases: readonly string[];
  links: readonly string[];
  ipv4: string;
  ipv6: string;
  linkLocal: readonly string[];
  macAddress: string;
  options: Readonly<Record<string, string>>;
  priority: number;
}

function blank(target: string): Place {
  return {
    target,
    aliases: [],
    links: [],
    ipv4: "",
    ipv6: "",
    linkLocal: [],
    macAddress: "",
    options: {},
    priority: 0,
  };
}

/** A name, or `name=…,alias=…`, all of which Docker's client takes in lower case. */
function readNetwork(item: string): Place {
  if (!/\w+=\w+(?:,\w+=\w+)*/.test(item)) return blank(item);
  const place = blank("");
  for (const field of csvFields(item)) {
    const [name = "", value] = field.toLowerCase().split(/=(.*)/s, 2);
    if (value === undefined || name === "") throw new Error(`invalid field ${field}`);
    readField(place, name.trim(), value.trim());
  }
  if (place.target === "") throw new Error("network name/id is not specified");
  return place;
}

function readField(place: Place, name: string, value: string): void {
  switch (name) {
    case "name":
      place.target = value;
      break;
    case "alias":
      place.aliases = [...place.aliases, value];
      break;
    case "ip":
      place.ipv4 = value;
      break;
    case "ip6":
      place.ipv6 = value;
      break;
    case "mac-address":
      place.macAddress = value;
      break;
    case "link-local-ip":
      place.linkLocal = [...place.linkLocal, value];
      break;
    case "driver-opt":
      place.options = { ...place.options, ...readOption(value) };
      break;
    case "gw-priority":
      if (!/^[+-]?\d{1,15}$/.test(value)) throw new Error(`invalid gw-priority (${value}): invalid syntax`);
      place.priority = Number(value);
      break;
    default:
      throw new Error(`invalid field key ${name}`);
  }
}

function readOption(text: string): Record<string, string> {
  const [name = "", value] = text.split(/=(.*)/s, 2);
  if (value === undefined || name.trim() === "") throw new Error("invalid key value pair format in driver options");
  return { [name.trim()]: value.trim() };
}

/** The first network is what the flags of one network's time are about. */
function withContainerFlags(place: Place, flags: NetworkFlags): Place {
  const aliases = [...flags["network-alias"], ...flags["net-alias"]];
  const either = <Value extends string | readonly string[]>(own: Value, flag: Value, words: string): Value => {
    if (own.length > 0 && flag.length > 0) throw new Error(`conflicting options: cannot specify both ${words}`);
    return flag.length > 0 ? flag : own;
  };
  return {
    ...place,
    aliases: either(place.aliases, aliases, "--network-alias and per-network alias"),
    links: isUserDefined(place.target) ? flags.link : [],
    ipv4: either(place.ipv4, flags.ip, "--ip and per-network IPv4 address"),
    ipv6: either(place.ipv6, flags.ip6, "--ip6 and per-network IPv6 address"),
    macAddress: either(place.macAddress, flags["mac-address"], "--mac-address and per-network MAC address"),
    linkLocal: either(
      place.linkLocal,
      flags["link-local-ip"],
      "--link-local-ip and per-network link-local IP addresses",
    ),
  };
}

/** Only what was asked for: the engine fills in the rest. */
function settingsOf(place: Place): Partial<EndpointSettings> {
  const { aliases, ipv4, ipv6, linkLocal, links, macAddress, options, priority, target } = place;
  if (!isUserDefined(target) && aliases.length > 0) {
    throw new Error("network-scoped aliases are only supported for user-defined networks");
  }
  if (macAddress !== "" && !isMac(macAddress)) throw new Error(`${macAddress} is not a valid mac address`);
  return {
    ...ipamOf(ipv4, ipv6, linkLocal),
    ...(links.length > 0 && { Links: links }),
    ...(aliases.length > 0 && { Aliases: aliases }),
    ...(macAddress !== "" && { MacAddress: macAddress }),
    ...(Object.keys(options).length > 0 && { DriverOpts: options }),
    ...(priority !== 0 && { GwPriority: priority }),
  };
}

function isUserDefined(mode: string): boolean {
  return !["default", "bridge", "host", "none"].includes(mode) && !mode.startsWith("container:");
}

/** The forms of Go's net.ParseMAC with six octets. */
function isMac(text: string): boolean {
  return /^[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}$|^[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}$/i.test(text.trim());
}
