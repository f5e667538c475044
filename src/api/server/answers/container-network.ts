import type { NetworkSettings, PortBinding, PortMap, PortSummary } from "#api/wire";
import type { Container } from "#containers";
import { type NetworkFacts, networkMap } from "./endpoint-answer.ts";

/** `NetworkSettings` of inspect, with the flat fields of the default bridge that old clients read. */
export function networkSettings(container: Container, facts: NetworkFacts): NetworkSettings {
  const networks = networkMap(container, facts);
  const flat = container.attached?.endpoints.some(({ networkName }) => networkName === "bridge") === true;
  const bridge = flat ? networks["bridge"] : undefined;
  return {
    Bridge: "",
    SandboxID: "",
    SandboxKey: sandboxKey(container),
    Ports: portMap(container),
    ...exposedPorts(container),
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge?.EndpointID ?? "",
    Gateway: bridge?.Gateway ?? "",
    GlobalIPv6Address: bridge?.GlobalIPv6Address ?? "",
    GlobalIPv6PrefixLen: bridge?.GlobalIPv6PrefixLen ?? 0,
    IPAddress: bridge?.IPAddress ?? "",
    IPPrefixLen: bridge?.IPPrefixLen ?? 0,
    IPv6Gateway: bridge?.IPv6Gateway ?? "",
    MacAddress: bridge?.MacAddress ?? "",
    Networks: networks,
  };
}

/** The path by which `nsenter --net` and its like find the container's network namespace; empty while it does not run. */
function sandboxKey({ state }: Container): string {
  return "pid" in state ? `/proc/${state.pid}/ns/net` : "";
}

/** Absent where there are none: the answer is then Docker's. */
function exposedPorts({ attached }: Container): Pick<NetworkSettings, "SlipwayExposed"> {
  const open = (attached?.ports ?? []).filter(({ exposed }) => exposed === true);
  const ports = new Set(open.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`));
  return ports.size === 0 ? {} : { SlipwayExposed: [...ports].toSorted() };
}

/** Ports for inspect: bindings where they are published, null where they are only exposed; none while it is in no network. */
export function portMap(container: Container): PortMap {
  if (!hasNetwork(container)) return {};
  const ports = new Map<string, PortBinding[] | null>();
  for (const port of container.process.exposedPorts) ports.set(port, null);
  for (const { protocol, containerPort, hostIp, hostPort } of container.attached?.ports ?? []) {
    const key = `${containerPort}/${protocol}`;
    const binding = { HostIp: hostIp, HostPort: hostPort === 0 ? "" : String(hostPort) };
    ports.set(key, [...(ports.get(key) ?? []), binding]);
  }
  return Object.fromEntries([...ports].toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

/** Ports for `docker ps`, by port and address. */
export function portSummaries(container: Container): PortSummary[] {
  const summaries = Object.entries(portMap(container)).flatMap(([key, bindings]): PortSummary[] => {
    const [port, type = "tcp"] = key.split("/");
    const privatePort = Number(port);
    const held = bindings?.filter(({ HostPort }) => HostPort !== "") ?? [];
    if (held.length === 0) return [{ PrivatePort: privatePort, Type: type }];
    return held.map(({ HostIp, HostPort }) => ({
      IP: HostIp,
      PrivatePort: privatePort,
      PublicPort: Number(HostPort),
      Type: type,
    }));
  });
  return summaries.toSorted(
    (one, other) =>
      one.PrivatePort - other.PrivatePort ||
      compareText(one.IP ?? "", other.IP ?? "") ||
      compareText(one.Type, other.Type),
  );
}

/** The mode as inspect shows it: `default` is `bridge` since API 1.47's daemon. */
export function shownNetworkMode(mode: string): string {
  return mode === "default" || mode === "" ? "bridge" : mode;
}

function hasNetwork({ state, attached }: Container): boolean {
  const isUp = state.status === "running" || state.status === "paused";
  // Those of `host` and `none` have no interface.
  return isUp && attached?.endpoints.some(({ macAddress }) => macAddress !== "") === true;
}

function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
