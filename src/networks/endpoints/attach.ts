import { isFault } from "#core/fault";
import { newId } from "#core/ids";
import type { MonitorSlot } from "#host";
import { bridgeOption } from "../links/bridge-plan.ts";
import { reportEndpoint } from "../network-events.ts";
import type { Attachment, AttachRequest, EndpointRequest, Network } from "../networks.ts";
import { connectivityFault } from "../ports/connectivity-fault.ts";
import { heldPortsOf } from "../ports/held-ports.ts";
import { planPorts } from "../ports/plan-ports.ts";
import { publish } from "../ports/publish.ts";
import type { EndpointRecord, Sandbox } from "../records.ts";
import { discardEndpoint, warmPlan } from "../slots/prepare-endpoints.ts";
import type { Wiring } from "../wiring.ts";
import { attachedFrom } from "./attached.ts";
import { gatewayEndpoint, publishedEndpoint, wayOut } from "./gateways.ts";
import { type PlannedEndpoint, planEndpoint, recordOf } from "./plan.ts";
import { namesOf } from "./names-of.ts";
import { release } from "./release.ts";

/** Gives a container its slot and its places in networks: all of it, or (if any step fails) none of it. */
export async function attach(wiring: Wiring, request: AttachRequest, signal: AbortSignal): Promise<Attachment> {
  const { containerId } = request;
  // What an earlier run of the container may have left.
  await release(wiring, containerId);
  await using undo = new AsyncDisposableStack();
  const placed = await place(wiring, request, undo, signal);
  const { slot, endpoints } = placed;
  const ports = await holdPorts(wiring, request, placed, undo);
  const sandbox: Sandbox = {
    containerId,
    containerName: request.containerName,
    hostname: request.hostname,
    servers: request.servers,
    ports,
    endpoints,
  };
  wiring.records.addSandbox(sandbox);
  undo.defer(() => wiring.records.removeSandbox(containerId));
  const names = namesOf(sandbox);
  if (names !== undefined) undo.defer(async () => await wiring.resolver.forget(containerId));
  await Promise.all([publish(wiring, sandbox), names && wiring.resolver.state(names)]);
  undo.move();
  if (request.containerName !== "")
    for (const endpoint of endpoints) reportEndpoint(wiring.events, "connect", endpoint);
  let kept = false;
  return {
    slot,
    attached: attachedFrom(sandbox),
    ...(names !== undefined && wiring.resolverSocket !== undefined && { resolver: wiring.resolverSocket }),
    keep: () => {
      kept = true;
    },
    [Symbol.asyncDispose]: async () => {
      if (kept) return;
      kept = true;
      if (ports.length > 0) await freePorts(slot);
      await slot[Symbol.asyncDispose]();
      await release(wiring, containerId);
    },
  };
}

interface Placed {
  readonly slot: MonitorSlot;
  readonly endpoints: readonly EndpointRecord[];
}

async function place(
  wiring: Wiring,
  request: AttachRequest,
  undo: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Placed> {
  const { containerId, mode, userNamespace: users } = request;
  if (mode !== "network") {
    const taking = mode === "host" ? wiring.slots.takeOnHost(signal) : wiring.slots.takeLonely(users, signal);
    return { slot: undo.use(await taking), endpoints: [bareRecord(containerId, wiring.records.find(mode))] };
  }
  const wanted = request.endpoints.map((endpoint) => ({ endpoint, network: wiring.records.find(endpoint.network) }));
  const [only] = wanted;
  if (only !== undefined && wanted.length === 1 && isPlain(only.network, only.endpoint)) {
    const warm = await wiring.slots.takeOnBridge(users, signal);
    undo.defer(async () => await discardEndpoint(wiring, warm));
    // Its subnet may have been chosen only now.
    const { network } = wiring.bridges.of(only.network);
    return { slot: warm.slot, endpoints: [recordOf(containerId, network, only.endpoint, warmPlan(warm))] };
  }
  const slot = await wiring.slots.takeLonely(users, signal);
  // First the namespace goes, then the addresses wait for their links to be gone.
  const links = undo.use(new AsyncDisposableStack());
  undo.use(slot);
  const planned: PlannedEndpoint[] = [];
  for (const { endpoint, network } of wanted) {
    const names = new Set(planned.map(({ plan }) => plan.interface));
    planned.push(await planEndpoint(wiring, containerId, network, endpoint, names, links));
  }
  await plugAll(slot.pid, planned);
  return { slot, endpoints: planned.map(({ record }) => record) };
}

/** Whether a slot that waits on the default bridge will do. */
function isPlain(network: Network, { ipv4, ipv6, linkLocal, macAddress, options }: EndpointRequest): boolean {
  const isDefault = network.options[bridgeOption.defaultBridge] === "true" && !network.ipv6;
  const asks = [ipv4, ipv6, macAddress].some((each) => each !== undefined) || linkLocal.length > 0;
  return isDefault && !asks && Object.keys(options).length === 0;
}

async function plugAll(pid: number, planned: readonly PlannedEndpoint[]): Promise<void> {
  const records = planned.map(({ record }) => record);
  for (const { plan, driver, record, settings } of planned) {
    const ways = ([4, 6] as const).flatMap((family) =>
      gatewayEndpoint(records, family) === record ? (wayOut(record, family) ?? []) : [],
    );
    await driver.plug(record.network, { plan, pid, ways, settings });
  }
}

/** In `none` and `host` a container has a place without an address. */
function bareRecord(containerId: string, network: Network): EndpointRecord {
  return {
    containerId,
    network,
    endpointId: newId(),
    macAddress: "",
    link: "",
    interface: "",
    linkLocal: [],
    aliases: [],
    links: {},
    gatewayPriority: 0,
  };
}

async function holdPorts(
  wiring: Wiring,
  { containerId, containerName, ports }: AttachRequest,
  { slot, endpoints }: Placed,
  undo: AsyncDisposableStack,
): Promise<Sandbox["ports"]> {
  const way4 = publishedEndpoint(endpoints, 4);
  const way6 = publishedEndpoint(endpoints, 6);
  const way = way4 ?? way6;
  if (ports.length === 0 || way === undefined) return [];
  const asked = ports.map((port) => ({ ...port, exposed: port.exposed ?? wiring.exposes }));
  const { held, reach, routed } = planPorts(asked, { ipv4: way4, ipv6: way6 }, wiring.machine);
  if (held.length === 0) return routed;
  try {
    const hold = await wiring.ports.hold(
      held,
      reach,
      async (chosen) => await slot.holdPorts(heldPortsOf({ ports: chosen, endpoints })),
    );
    undo.use(hold);
    wiring.held.set(containerId, hold);
    undo.defer(() => {
      wiring.held.delete(containerId);
    });
    // First of all, so that whoever is given them next can have them.
    undo.defer(async () => await freePorts(slot));
    return [...routed, ...hold.ports];
  } catch (error) {
    throw connectivityFault(containerName, way.endpointId, error);
  }
}

/** Whoever hears that the container could not be made may want them at once. */
async function freePorts(slot: MonitorSlot): Promise<void> {
  try {
    await slot.holdPorts([]);
  } catch (error) {
    if (!isFault(error, "unavailable")) throw error; // a slot that is gone holds nothing
  }
}
