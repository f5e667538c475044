import type { ContainerCreateRequest, EndpointSettings } from "#api/wire";
import type { ContainerSpec } from "#containers";
import { Fault } from "#core/fault";
import { type EndpointRequest, aloneFault } from "#networks";

type Endpoints = Readonly<Record<string, Partial<EndpointSettings> | null>>;

/**
 * The network mode and the networks to be in, that of the mode first. `nameOf` says which network a name or id means, so that one
 * that is told twice is one. Faults `invalid` in Docker's words.
 */
export function readNetworks(
  request: ContainerCreateRequest,
  nameOf: (typed: string) => string = (typed) => typed,
): Pick<ContainerSpec, "networkMode" | "endpoints" | "networkDisabled"> {
  const named = request.NetworkingConfig?.EndpointsConfig ?? {};
  const networkMode = modeOf(request, named);
  if (request.NetworkDisabled === true) {
    refuseLinks(request.HostConfig, "none type networking");
    return { networkMode, endpoints: [], networkDisabled: true };
  }
  if (!isOwnNetwork(networkMode)) {
    refuseOthers(request, networkMode, named);
    return { networkMode, endpoints: [] };
  }
  const main = networkMode === "default" ? "bridge" : networkMode;
  const endpoints = distinct([...mainFirst(main, named, nameOf)], nameOf);
  return { networkMode, endpoints: withContainerWide(request, main, endpoints) };
}

/** The place in a network that the settings ask for. */
export function endpointRequest(network: string, settings: Partial<EndpointSettings> | null = {}): EndpointRequest {
  const { IPAMConfig: ipam, Links: links, Aliases: aliases, DriverOpts: options } = settings ?? {};
  const { GwPriority: gatewayPriority = 0, MacAddress: macAddress } = settings ?? {};
  return {
    network,
    ...(isFilled(ipam?.IPv4Address) && { ipv4: ipam.IPv4Address }),
    ...(isFilled(ipam?.IPv6Address) && { ipv6: ipam.IPv6Address }),
    linkLocal: ipam?.LinkLocalIPs ?? [],
    ...(isFilled(macAddress) && { macAddress }),
    aliases: aliases ?? [],
    links: links ?? [],
    options: options ?? {},
    gatewayPriority,
  };
}

/** A request that says nothing of the mode and names networks means those: the first is the main one. */
function modeOf({ HostConfig: host }: ContainerCreateRequest, named: Endpoints): string {
  const mode = host?.NetworkMode ?? "";
  if (mode !== "" && mode !== "default") return mode;
  const [first] = Object.keys(named);
  return first === undefined || "default" in named || "bridge" in named ? "default" : first;
}

function isOwnNetwork(mode: string): boolean {
  return mode !== "host" && mode !== "none" && !mode.startsWith("container:") && !mode.startsWith("ns:");
}

/** Modes without a network of the container's own: their own entry says nothing, and any other cannot be. */
function refuseOthers({ HostConfig: host, MacAddress: mac }: ContainerCreateRequest, mode: string, named: Endpoints) {
  const others = Object.keys(named).filter((name) => name !== mode && name !== "default");
  const isContainer = mode.startsWith("container:");
  if (others.length > 0) throw aloneFault("invalid", mode === "none" ? "none" : "shared");
  refuseLinks(
    host,
    isContainer ? "container type network" : mode === "none" ? "none type networking" : "host type networking",
  );
  if (isFilled(mac) && isContainer) {
    throw new Fault("invalid", "conflicting options: mac-address and the network mode");
  }
}

/** Where a container is in no network of its own there is nobody to link to; Docker takes them with `none`, and forgets them. */
function refuseLinks(host: ContainerCreateRequest["HostConfig"], where: string): void {
  if ((host?.Links ?? []).length === 0) return;
  throw new Fault("invalid", `conflicting options: ${where} can't be used with links.`, {
    remedy: "Give the container a network of its own, or leave the links out.",
  });
}

/** The mode's network, by whichever of its names it has settings, then the others. */
function mainFirst(main: string, named: Endpoints, nameOf: (typed: string) => string): EndpointRequest[] {
  const isMain = (key: string): boolean => nameOf(key === "default" ? "bridge" : key) === nameOf(main);
  const own = Object.entries(named).find(([key]) => isMain(key))?.[1];
  const others = Object.entries(named).filter(([key]) => !isMain(key));
  return [endpointRequest(main, own), ...others.map(([key, settings]) => endpointRequest(key, settings))];
}

function distinct(endpoints: readonly EndpointRequest[], nameOf: (typed: string) => string): EndpointRequest[] {
  const byName = new Map<string, EndpointRequest>();
  for (const endpoint of endpoints) {
    const name = nameOf(endpoint.network);
    if (!byName.has(name)) byName.set(name, endpoint);
  }
  return [...byName.values()];
}

/** `HostConfig.Links` and `Config.MacAddress` are from the time of one network, and belong to the main one. */
function withContainerWide(
  { HostConfig: host, MacAddress: mac }: ContainerCreateRequest,
  main: string,
  endpoints: readonly EndpointRequest[],
): EndpointRequest[] {
  return endpoints.map((endpoint) => {
    if (endpoint.network !== main) return endpoint;
    if (isFilled(mac) && endpoint.macAddress !== undefined && endpoint.macAddress !== mac) {
      throw new Fault(
        "invalid",
        "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty",
      );
    }
    return {
      ...endpoint,
      ...(isFilled(mac) && { macAddress: mac }),
      links: [...new Set([...endpoint.links, ...(host?.Links ?? [])])],
    };
  });
}

function isFilled(text: string | undefined): text is string {
  return text !== undefined && text !== "";
}
