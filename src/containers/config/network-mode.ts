import { Fault } from "#core/fault";
import { type EndpointRequest, type NetworkMode, aloneFault } from "#networks";

/** What `--network` means. */
export function parseNetworkMode(text: string): NetworkMode {
  if (text === "none") return { kind: "none" };
  if (text === "host") return { kind: "host" };
  if (text.startsWith("container:")) return { kind: "container", containerId: text.slice("container:".length) };
  if (text.startsWith("ns:")) return { kind: "namespace", path: text.slice("ns:".length) };
  return { kind: "network", name: text === "" || text === "default" ? "bridge" : text };
}

/** A place in a network with nothing of its own choice. */
export function plainEndpoint(network: string): EndpointRequest {
  return { network, linkLocal: [], aliases: [], links: [], options: {}, gatewayPriority: 0 };
}

/** The networks of a container of that mode when nothing more was said. */
export function endpointsOfMode(networkMode: string): EndpointRequest[] {
  const mode = parseNetworkMode(networkMode);
  return mode.kind === "network" ? [plainEndpoint(mode.name)] : [];
}

/** Whether the container may be put into networks and taken out of them. Faults `forbidden` and `conflict` in Docker's words. */
export function checkNetworkChange(networkMode: string, network: string): void {
  const mode = parseNetworkMode(networkMode);
  if (mode.kind === "host" || network === "host") {
    throw new Fault("forbidden", "container cannot be disconnected from host network or connected to host network");
  }
  if (mode.kind === "none" || network === "none") throw aloneFault("forbidden", "none");
  if (mode.kind !== "network") throw aloneFault("forbidden", "shared");
}

/** Whether that is how the network `bridge` is called in a request. */
export function isDefaultBridge(network: string): boolean {
  return network === "bridge" || network === "default";
}
