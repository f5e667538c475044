import type { MonitorSlot } from "#host";
import type { Endpoint } from "#networks";
import { Fault } from "#core/fault";
import type { Isolation } from "./namespaces.ts";
import { parseNetworkMode } from "../config/network-mode.ts";
import type { Room } from "../room.ts";
import { isRunning } from "../state.ts";
import type { ContainerRecord } from "../store.ts";

/** Where a container is going to run: its monitor's slot and its network. Disposed before `keep`, all of it is undone. */
export interface Place extends AsyncDisposable {
  readonly slot: MonitorSlot;
  readonly endpoint?: Endpoint;
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
  if (mode.kind === "container") return await joinPlace(room, mode.containerId);
  const attachment = await room.networks.attach(
    {
      containerId: record.id,
      containerName: record.name,
      mode,
      ports: mode.kind === "host" ? [] : portsOf(record),
      ...(userNamespace !== undefined && { userNamespace }),
    },
    AbortSignal.timeout(attachTimeMs),
  );
  return {
    slot: attachment.slot,
    ...(attachment.endpoint !== undefined && { endpoint: attachment.endpoint }),
    networkNamespace: mode.kind === "host" ? undefined : networkNamespaceOf(attachment.slot.pid),
    keep: () => attachment.keep(),
    [Symbol.asyncDispose]: async () => await attachment[Symbol.asyncDispose](),
  };
}

const attachTimeMs = 30_000;

async function joinPlace(room: Room, containerId: string): Promise<Place> {
  const other = room.store.find(containerId);
  if (!isRunning(other.state)) {
    throw new Fault("conflict", `cannot join network of a non running container: ${other.id}`, {
      remedy: `Start it first: docker start ${other.name}`,
    });
  }
  const slot = await room.host.shim.prepareMonitor({ newNetns: false });
  let kept = false;
  return {
    slot,
    networkNamespace: networkNamespaceOf(other.state.pid),
    keep: () => {
      kept = true;
    },
    [Symbol.asyncDispose]: async () => {
      if (!kept) await slot[Symbol.asyncDispose]();
    },
  };
}

/** What was asked for by `-p`, and with `-P` every exposed port on a free one of the host. */
function portsOf({ spec, process }: ContainerRecord): ContainerRecord["spec"]["ports"] {
  if (!spec.publishAll) return spec.ports;
  const asked = new Set(spec.ports.map((port) => `${port.containerPort}/${port.protocol}`));
  const exposed = process.exposedPorts.flatMap((text) => {
    const [, number, protocol = "tcp"] = /^([0-9]{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? [];
    if (number === undefined || asked.has(`${number}/${protocol}`)) return [];
    return [
      {
        protocol: protocol === "udp" ? ("udp" as const) : ("tcp" as const),
        containerPort: Number(number),
        hostIp: "",
        hostPort: { first: 0, last: 0 },
      },
    ];
  });
  return [...spec.ports, ...exposed];
}

function networkNamespaceOf(pid: number): string {
  return `/proc/${pid}/ns/net`;
}
