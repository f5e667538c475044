import { Fault } from "#core/fault";
import { aloneFault } from "../alone-fault.ts";
import { isAlone } from "../drivers/driver.ts";
import { netnsLine, routeLine } from "../links/link-commands.ts";
import { reportEndpoint } from "../network-events.ts";
import type { Endpoint, EndpointRequest, Network } from "../networks.ts";
import { republish } from "../ports/publish.ts";
import type { EndpointRecord, Sandbox } from "../records.ts";
import type { Wiring } from "../wiring.ts";
import { endpointFrom } from "./attached.ts";
import { gatewayEndpoint, wayOut } from "./gateways.ts";
import { isPlaced, namesOf } from "./names-of.ts";
import { planEndpoint } from "./plan.ts";
import { depart } from "./release.ts";

/** Puts a running container into one more network. */
export async function connect(
  wiring: Wiring,
  containerId: string,
  request: EndpointRequest,
  pid: number,
): Promise<Endpoint> {
  const { records } = wiring;
  const before = mustBeAttached(records.sandboxOf(containerId), containerId);
  const network = records.find(request.network);
  mustShare(before, network);
  if (before.endpoints.some((endpoint) => endpoint.network.id === network.id)) {
    throw new Fault(
      "forbidden",
      `endpoint with name ${before.containerName} already exists in network ${network.name}`,
    );
  }
  await using undo = new AsyncDisposableStack();
  const taken = new Set(before.endpoints.map((endpoint) => endpoint.interface));
  const { record, plan, driver, settings } = await planEndpoint(wiring, containerId, network, request, taken, undo);
  const after = { ...before, endpoints: [...before.endpoints, record] };
  records.addLoose(record);
  undo.defer(() => records.forgetLoose(record));
  await driver.plug(record.network, { plan, pid, ways: [], settings });
  undo.defer(async () => await unplug(wiring, record, after, before, pid));
  await routeAnew(wiring, before, after, pid);
  records.addEndpoint(record);
  undo.defer(() => records.removeEndpoint(record));
  await republish(wiring, before, after);
  await tellNames(wiring, after);
  undo.move();
  reportEndpoint(wiring.events, "connect", record);
  return endpointFrom(record, after);
}

/** Takes a running container out of a network. */
export async function disconnect(wiring: Wiring, containerId: string, networkId: string, pid: number): Promise<void> {
  const { records } = wiring;
  const before = mustBeAttached(records.sandboxOf(containerId), containerId);
  const leaving = before.endpoints.find((endpoint) => endpoint.network.id === networkId);
  if (leaving === undefined || !isPlaced(leaving)) return;
  const after = { ...before, endpoints: before.endpoints.filter((endpoint) => endpoint !== leaving) };
  records.removeEndpoint(leaving);
  try {
    await republish(wiring, before, after);
  } finally {
    await unplug(wiring, leaving, before, after, pid);
    depart(wiring, leaving);
    reportEndpoint(wiring.events, "disconnect", leaving);
  }
  await tellNames(wiring, after);
}

/** Without a network it keeps its resolver, which then knows nothing of it. */
export async function tellNames({ resolver }: Wiring, sandbox: Sandbox): Promise<void> {
  const names = namesOf(sandbox);
  if (names === undefined) await resolver.forget(sandbox.containerId);
  else await resolver.state(names);
}

/** Takes the link away from the running container, and leads its routes by the networks that it stays in. */
async function unplug(
  wiring: Wiring,
  endpoint: EndpointRecord,
  before: Sandbox,
  after: Sandbox,
  pid: number,
): Promise<void> {
  await wiring.drivers(endpoint.network.driver).unplug(endpoint, pid);
  wiring.records.forgetLoose(endpoint);
  await routeAnew(wiring, before, after, pid);
}

/** Leads the container's default routes by the endpoints that are to have them now. One whose way stays has it still. */
async function routeAnew({ programs }: Wiring, before: Sandbox, after: Sandbox, pid: number): Promise<void> {
  const kept = new Set(routeLines(before.endpoints));
  const lines = routeLines(after.endpoints).filter((line) => !kept.has(line));
  if (lines.length > 0) await programs.links([netnsLine(pid), ...lines]);
}

/** The lines that do so, behind the one that leads to its namespace. */
export function routeLines(endpoints: readonly EndpointRecord[]): string[] {
  return ([4, 6] as const).flatMap((family) => {
    const way = gatewayEndpoint(endpoints, family);
    const out = way === undefined ? undefined : wayOut(way, family);
    return way === undefined || out === undefined ? [] : [routeLine(out, way.interface)];
  });
}

/** The namespace of `host` is the host's own, and `none` means none. */
function mustShare({ endpoints }: Sandbox, network: Network): void {
  const alone = [network, ...endpoints.map((endpoint) => endpoint.network)].find(({ driver }) => isAlone(driver));
  if (alone !== undefined) throw aloneFault("forbidden", alone.driver === "host" ? "shared" : "none");
}

function mustBeAttached(sandbox: Sandbox | undefined, containerId: string): Sandbox {
  if (sandbox === undefined) throw new Fault("conflict", `container ${containerId} is not attached to any network`);
  return sandbox;
}
