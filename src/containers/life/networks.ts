import { Fault, isFault } from "#core/fault";
import { type EndpointRequest, type Network, isNamed } from "#networks";
import { checkEndpoint } from "../config/endpoints.ts";
import { checkNetworkChange } from "../config/network-mode.ts";
import type { Room } from "../room.ts";
import { isRunning } from "../state.ts";
import type { ContainerRecord } from "../store.ts";
import { linkedEndpoint } from "./place.ts";
import { leadPorts } from "./ports.ts";

/** Puts a container into a network: at once when it runs, else with its next start. */
export async function connectNetwork(room: Room, nameOrId: string, wanted: EndpointRequest): Promise<void> {
  const { id } = room.store.find(nameOrId);
  using _lock = await room.locks.take(id);
  const record = room.store.find(id);
  mustStay(record);
  const network = room.networks.find(wanted.network);
  checkNetworkChange(record.spec.networkMode, network.name);
  const request = { ...wanted, network: network.name };
  checkEndpoint(request, network);
  const before = record.spec.endpoints.filter((endpoint) => !isNamed(endpoint.network, network));
  if (isRunning(record.state)) {
    const { pid } = record.state;
    await leadingPorts(room, id, async () => {
      await room.networks.connect(id, linkedEndpoint(room, request), pid);
    });
  } else if (before.length < record.spec.endpoints.length) {
    throw new Fault("forbidden", `endpoint with name ${record.name} already exists in network ${network.name}`);
  }
  room.store.respecify(id, { ...record.spec, endpoints: [...before, request] });
}

/** Takes a container out of a network, also out of one that was removed while the container was stopped. */
export async function disconnectNetwork(room: Room, nameOrId: string, networkName: string): Promise<void> {
  const { id } = room.store.find(nameOrId);
  using _lock = await room.locks.take(id);
  const record = room.store.find(id);
  mustStay(record);
  const { endpoints, networkMode } = record.spec;
  const network = findUnlessLeft(room, record, networkName);
  checkNetworkChange(networkMode, network.name);
  const left = endpoints.filter((endpoint) => !isNamed(endpoint.network, network));
  if (left.length === endpoints.length && !isAttached(room, id, network)) {
    throw new Fault("forbidden", `container ${id} is not connected to network ${network.name}`);
  }
  if (isRunning(record.state)) {
    const { pid } = record.state;
    await leadingPorts(room, id, async () => await room.networks.disconnect(id, network.id, pid));
  }
  room.store.respecify(id, { ...record.spec, endpoints: left });
}

function isAttached({ networks }: Room, id: string, network: Named): boolean {
  return networks.attachedOf(id)?.endpoints.some(({ networkId }) => networkId === network.id) === true;
}

/** A network that is gone is still the one of a stopped container's settings. */
function findUnlessLeft({ networks }: Room, { spec, state }: ContainerRecord, typed: string): Named {
  try {
    return networks.find(typed);
  } catch (error) {
    const isIn = spec.endpoints.some(({ network }) => network === typed);
    if (!isFault(error, "notFound") || !isIn || isRunning(state)) throw error;
    return { id: "", name: typed };
  }
}

type Named = Pick<Network, "id" | "name">;

/** Whatever becomes of the change, the container's ports lead to where it is then. */
async function leadingPorts(room: Room, id: string, change: () => Promise<void>): Promise<void> {
  try {
    await change();
  } finally {
    const live = room.live.get(id);
    if (live !== undefined) await leadPorts(room, id, live.monitor);
  }
}

function mustStay({ id, state }: ContainerRecord): void {
  if (state.status !== "removing" && state.status !== "dead") return;
  throw new Fault(
    "conflict",
    `container ${id} is marked for removal and cannot be connected or disconnected to the network`,
  );
}
