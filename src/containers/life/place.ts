import { parseLink } from "#core/container-link";
import type { MonitorSlot } from "#host";
import type { Attached, EndpointRequest, PortProtocol, PortRequest } from "#networks";
import { Fault, isFault } from "#core/fault";
import type { Isolation } from "./namespaces.ts";
import { type Exposure, readExposeLabel } from "../config/expose-label.ts";
import { isDefaultBridge, parseNetworkMode } from "../config/network-mode.ts";
import type { Room } from "../room.ts";
import { isRunning } from "../state.ts";
import type { ContainerRecord } from "../store.ts";

/** Where a container is going to run: its monitor's slot and its network. Disposed before `keep`, all of it is undone. */
export interface Place extends AsyncDisposable {
  readonly slot: MonitorSlot;
  readonly attached: Attached;
  /** The socket to which its monitor passes questions for names; undefined where the container has no resolver of ours. */
  readonly resolver?: string;
  /** For the OCI spec; undefined is the host's. */
  readonly networkNamespace: string | undefined;
  /** From here on `networks.release` undoes it. */
  keep(): void;
}

/** Takes a slot with the network that the container asked for. */
export async function takePlace(
  room: Room,
  record: ContainerRecord,
  { userNamespace }: Pick<Isolation, "userNamespace">,
): Promise<Place> {
  const mode = parseNetworkMode(record.spec.networkMode);
  if (mode.kind === "container") return await joinPlace(room, networkNamespaceOfContainer(room, mode.containerId));
  if (mode.kind === "namespace") return await joinPlace(room, mode.path);
  const attachment = await room.networks.attach(
    {
      containerId: record.id,
      containerName: record.name,
      hostname: record.hostname,
      mode: mode.kind === "network" && record.spec.endpoints.length === 0 ? "none" : mode.kind,
      endpoints: record.spec.endpoints.map((endpoint) => linkedEndpoint(room, endpoint)),
      servers: record.spec.dns,
      ports: mode.kind === "host" ? [] : portsOf(record),
      ...(userNamespace !== undefined && { userNamespace }),
    },
    AbortSignal.timeout(attachTimeMs),
  );
  return {
    slot: attachment.slot,
    attached: attachment.attached,
    ...(attachment.resolver !== undefined && { resolver: attachment.resolver }),
    networkNamespace: mode.kind === "host" ? undefined : networkNamespaceOf(attachment.slot.pid),
    keep: () => attachment.keep(),
    [Symbol.asyncDispose]: async () => await attachment[Symbol.asyncDispose](),
  };
}

const attachTimeMs = 30_000;

/** The containers that it links to, by their ids; in a network of its own such a link is a name, and one to nobody is no name. Fault `notFound`. */
export function linkedEndpoint(room: Room, endpoint: EndpointRequest): EndpointRequest {
  const links = endpoint.links.flatMap((link) => {
    const { container, alias } = parseLink(link);
    try {
      return [`${room.store.find(container).id}:${alias}`];
    } catch (error) {
      if (isFault(error, "notFound") && !isDefaultBridge(endpoint.network)) return [];
      throw error;
    }
  });
  return { ...endpoint, links };
}

function networkNamespaceOfContainer(room: Room, containerId: string): string {
  const other = room.store.find(containerId);
  if (isRunning(other.state)) return networkNamespaceOf(other.state.pid);
  throw new Fault("conflict", `cannot join network of a non running container: ${other.id}`, {
    remedy: `Start it first: docker start ${other.name}`,
  });
}

async function joinPlace(room: Room, networkNamespace: string): Promise<Place> {
  const slot = await room.host.shim.prepareMonitor({ newNetns: false });
  let kept = false;
  return {
    slot,
    attached: { endpoints: [], ports: [] },
    networkNamespace,
    keep: () => {
      kept = true;
    },
    [Symbol.asyncDispose]: async () => {
      if (!kept) await slot[Symbol.asyncDispose]();
    },
  };
}

/** What was asked for by `-p`, and with `-P` every exposed port on a free one of the host; each as the container's label has it. */
function portsOf(record: ContainerRecord): readonly PortRequest[] {
  const ports = [...record.spec.ports, ...allExposed(record)];
  const exposure = readExposeLabel(record.spec.labels);
  return exposure === undefined ? ports : ports.map((port) => withExposure(port, exposure));
}

function withExposure(port: PortRequest, exposure: Exposure): PortRequest {
  return { ...port, exposed: exposure(port.containerPort, port.protocol) };
}

function allExposed({ spec, process }: ContainerRecord): PortRequest[] {
  if (!spec.publishAll) return [];
  const asked = new Set(spec.ports.map((port) => `${port.containerPort}/${port.protocol}`));
  return process.exposedPorts.flatMap((text) => {
    const [, number, protocol = "tcp"] = /^([0-9]{1,5})(?:\/(tcp|udp|sctp))?$/.exec(text) ?? [];
    if (number === undefined || asked.has(`${number}/${protocol}`)) return [];
    return [
      {
        protocol: protocol as PortProtocol,
        containerPort: Number(number),
        hostIp: "",
        hostPort: { first: 0, last: 0 },
      },
    ];
  });
}

function networkNamespaceOf(pid: number): string {
  return `/proc/${pid}/ns/net`;
}
