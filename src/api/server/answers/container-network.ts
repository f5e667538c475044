import type { EndpointSettings, NetworkSettings, PortBinding, PortMap, PortSummary } from "#api/wire";
import type { Container } from "#containers";
import type { Endpoint, Networks } from "#networks";

/** `NetworkSettings` of inspect, with the flat fields of the default bridge that old clients read. */
export function networkSettings(container: Container, networks: Networks): NetworkSettings {
  const { endpoint } = container;
  const isDefaultBridge = endpoint?.networkName === "bridge";
  const flat = isDefaultBridge ? endpoint : undefined;
  return {
    Bridge: "",
    SandboxID: "",
    SandboxKey: "",
    Ports: portMap(container),
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: flat?.id ?? "",
    Gateway: flat?.gateway ?? "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    IPAddress: flat?.ipAddress ?? "",
    IPPrefixLen: flat?.prefixLength ?? 0,
    IPv6Gateway: "",
    MacAddress: flat?.macAddress ?? "",
    Networks: networkMap(container, networks),
  };
}

/** The networks of a container by name; one that does not run keeps its network's name with empty fields. */
export function networkMap(container: Container, networks: Networks): Readonly<Record<string, EndpointSettings>> {
  const name = container.endpoint?.networkName ?? configuredNetwork(container);
  if (name === undefined) return {};
  const network = networks.list().find((each) => each.name === name || each.id === name);
  const id = container.endpoint?.networkId ?? network?.id ?? "";
  return { [network?.name ?? name]: endpointSettings(container, id) };
}

/** Ports for inspect: bindings where they are published, null where they are only exposed; none while it does not run. */
export function portMap(container: Container): PortMap {
  if (!hasNetwork(container)) return {};
  const ports = new Map<string, PortBinding[] | null>();
  for (const port of container.process.exposedPorts) ports.set(port, null);
  for (const { protocol, containerPort, hostIp, hostPort } of container.endpoint?.ports ?? []) {
    const key = `${containerPort}/${protocol}`;
    const binding = { HostIp: shownIp(hostIp), HostPort: String(hostPort) };
    ports.set(key, [...(ports.get(key) ?? []), binding]);
  }
  return Object.fromEntries(ports);
}

/** Ports for `docker ps`. */
export function portSummaries(container: Container): PortSummary[] {
  return Object.entries(portMap(container)).flatMap(([key, bindings]) => {
    const [port, type = "tcp"] = key.split("/");
    const own = { PrivatePort: Number(port), Type: type };
    if (bindings === null) return [own];
    return bindings.map(({ HostIp, HostPort }) => ({ IP: HostIp, ...own, PublicPort: Number(HostPort) }));
  });
}

/** The mode as inspect shows it: `default` is `bridge` since API 1.47's daemon. */
export function shownNetworkMode(mode: string): string {
  return mode === "default" || mode === "" ? "bridge" : mode;
}

function configuredNetwork({ spec }: Container): string | undefined {
  const mode = shownNetworkMode(spec.networkMode);
  return mode.startsWith("container:") ? undefined : mode;
}

function hasNetwork({ state, endpoint }: Container): boolean {
  return endpoint !== undefined && (state.status === "running" || state.status === "paused");
}

function shownIp(ip: string): string {
  return ip === "" ? "0.0.0.0" : ip;
}

function endpointSettings({ endpoint }: Container, networkId: string): EndpointSettings {
  const none: Partial<Endpoint> = {};
  const { id, gateway, ipAddress, macAddress, prefixLength } = endpoint ?? none;
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: null,
    MacAddress: macAddress ?? "",
    DriverOpts: null,
    GwPriority: 0,
    NetworkID: networkId,
    EndpointID: id ?? "",
    Gateway: gateway ?? "",
    IPAddress: ipAddress ?? "",
    IPPrefixLen: prefixLength ?? 0,
    IPv6Gateway: "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    DNSNames: null,
  };
}
