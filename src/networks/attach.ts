import { Fault } from "#core/fault";
import { newId } from "#core/ids";
import type { MonitorSlot } from "#host";
import { formatAddress, macOf } from "./address.ts";
import type { Attachment, AttachRequest, Network } from "./networks.ts";
import { reportEndpoint } from "./network-events.ts";
import type { PortHold } from "./port-holds.ts";
import { type WarmEndpoint, discardEndpoint } from "./prepare-endpoints.ts";
import { type EndpointRecord, endpointFrom } from "./records.ts";
import { release } from "./release.ts";
import { type Wiring, publicationsOf } from "./wiring.ts";

/** Gives a container its slot and its place in a network: all of it, or (if any step fails) none of it. */
export async function attach(wiring: Wiring, request: AttachRequest, signal: AbortSignal): Promise<Attachment> {
  const network = wiring.records.find(request.mode.kind === "network" ? request.mode.name : request.mode.kind);
  // What an earlier run of the container may have left.
  await release(wiring, request.containerId);
  await using undo = new AsyncDisposableStack();
  const { slot, record } = await place(wiring, network, request, undo, signal);
  wiring.records.addEndpoint(record);
  undo.defer(() => wiring.records.removeEndpoint(request.containerId));
  await publish(wiring, record);
  undo.move();
  const { containerId } = request;
  reportEndpoint(wiring.events, "connect", record);
  const endpoint = endpointFrom(record);
  let kept = false;
  return {
    slot,
    ...(endpoint !== undefined && { endpoint }),
    keep: () => {
      kept = true;
    },
    [Symbol.asyncDispose]: async () => {
      if (kept) return;
      kept = true;
      await slot[Symbol.asyncDispose]();
      await release(wiring, containerId);
    },
  };
}

interface Placed {
  readonly slot: MonitorSlot;
  readonly record: EndpointRecord;
}

async function place(
  wiring: Wiring,
  network: Network,
  request: AttachRequest,
  undo: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Placed> {
  const { containerId, containerName } = request;
  const record = { containerId, containerName, endpointId: newId(), network };
  if (network.driver !== "bridge") {
    return { slot: undo.use(await takeSlot(wiring, network, request, signal)), record };
  }
  const warm = await takeEndpoint(wiring, request, signal);
  undo.defer(async () => await discardEndpoint(wiring, warm));
  // Its subnet may have been chosen only now.
  const onBridge = { ...record, network: wiring.bridge.network };
  return { slot: warm.slot, record: await placeOnBridge(wiring, onBridge, warm, request, undo) };
}

async function takeSlot(
  { hostSlots, lonelySlots, mappedLonelySlots, makeSlotIn }: Wiring,
  { driver }: Network,
  { userNamespace }: AttachRequest,
  signal: AbortSignal,
): Promise<MonitorSlot> {
  if (driver === "host") return await hostSlots.take(signal);
  if (userNamespace?.kind === "shared") return await makeSlotIn(userNamespace.path);
  return await (userNamespace === undefined ? lonelySlots : mappedLonelySlots).take(signal);
}

async function takeEndpoint(
  { bridgeSlots, mappedBridgeSlots, makeEndpointIn }: Wiring,
  { userNamespace }: AttachRequest,
  signal: AbortSignal,
): Promise<WarmEndpoint> {
  if (userNamespace?.kind === "shared") return await makeEndpointIn(userNamespace.path);
  return await (userNamespace === undefined ? bridgeSlots : mappedBridgeSlots).take(signal);
}

async function placeOnBridge(
  wiring: Wiring,
  record: Omit<EndpointRecord, "place">,
  { address, link }: WarmEndpoint,
  request: AttachRequest,
  undo: AsyncDisposableStack,
): Promise<EndpointRecord> {
  const holds: PortHold[] = [];
  try {
    for (const port of request.ports) holds.push(undo.use(await wiring.ports.hold(port, formatAddress(address))));
  } catch (error) {
    throw connectivityFault(record, error);
  }
  const ports = holds.map(({ port }) => port);
  if (holds.length > 0) {
    wiring.held.set(request.containerId, holds);
    undo.defer(() => {
      wiring.held.delete(request.containerId);
    });
  }
  return { ...record, place: { address: formatAddress(address), macAddress: macOf(address), link, ports } };
}

async function publish(wiring: Wiring, record: EndpointRecord): Promise<void> {
  const publications = publicationsOf(record);
  if (publications.length === 0) return;
  try {
    await wiring.firewall.publish(publications);
    // A client that has been sending all along would keep its old way, past the container.
    for (const { protocol, hostPort } of publications) {
      if (protocol === "udp") await wiring.programs.forgetConnections("-p", "udp", "--orig-port-dst", String(hostPort));
    }
  } catch (error) {
    throw connectivityFault(record, error);
  }
}

/** Docker's words; its clients look for them. */
function connectivityFault({ containerName, endpointId }: Omit<EndpointRecord, "place">, cause: unknown): unknown {
  if (!(cause instanceof Fault)) return cause;
  const message = `driver failed programming external connectivity on endpoint ${containerName} (${endpointId}): ${cause.message}`;
  return new Fault(cause.kind, message, { cause, ...(cause.remedy !== undefined && { remedy: cause.remedy }) });
}
