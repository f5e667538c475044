import { Fault } from "#core/fault";
import { announce } from "../announce.ts";
import { blockDeviceNumbers } from "../config/devices.ts";
import { settleLimits } from "../config/limits.ts";
import { blockDevicePaths } from "../config/resources.ts";
import { liftingResources, planUpdate, updatedSpec, type UpdatePlan } from "../config/update.ts";
import type { ContainerSpec, ContainerUpdate } from "../containers.ts";
import { attempt, type Room } from "../room.ts";
import { isRunning } from "../state.ts";
import type { ContainerRecord } from "../store.ts";
import { runtimeRoot } from "./folders.ts";
import { restartPolicyChanged } from "./policy-end.ts";
import { cgroupOf, isCrun, runtimePathOf } from "./runtime.ts";

/** Changes a container's limits and restart policy, those of its processes at once: all of it, or nothing. Answers the warnings. */
export async function update(room: Room, nameOrId: string, changes: ContainerUpdate): Promise<readonly string[]> {
  const { machine, cgroups } = room.host;
  const { limits, warnings } = settleLimits(changes.limits, { cgroups: cgroups.limits, cpus: machine.cpus }, "update");
  const { id } = room.store.find(nameOrId);
  using _lock = await room.locks.take(id);
  const record = room.store.find(id);
  try {
    if (record.state.status === "removing" || record.state.status === "dead") {
      throw new Fault("conflict", 'container is marked for removal and cannot be "update"');
    }
    const spec = updatedSpec(record.spec, { ...changes, limits });
    if (isRunning(record.state)) await apply(room, record, spec);
    else room.store.respecify(id, spec);
    restartPolicyChanged(room, id);
  } catch (error) {
    throw refusal(id, error);
  }
  announce(room, record, "update");
  return warnings;
}

/** Brings the running container's group to the new limits and notes them; when the kernel or the disk refuses, back to where it was. */
async function apply(room: Room, record: ContainerRecord, spec: ContainerSpec): Promise<void> {
  const from = record.spec.limits;
  const to = spec.limits;
  const kernel = room.host.cgroups;
  const blockDevices = await blockDeviceNumbers(blockDevicePaths(to));
  if (to.cpuRealtimeRuntime > 0) await room.host.cgroups.grantRealtime(cgroupOf(room, record.id));
  try {
    await carryOut(room, record, planUpdate(from, to, kernel, blockDevices));
    room.store.respecify(record.id, spec);
  } catch (error) {
    const back = carryOut(room, record, planUpdate(to, from, kernel, blockDevices));
    await back.catch((failure: unknown) => attempt(room, () => room.onUnexpected(failure)));
    throw error;
  }
}

async function carryOut(room: Room, record: ContainerRecord, plan: UpdatePlan): Promise<void> {
  const program = runtimePathOf(room, record);
  const resources = isCrun(program) ? plan.resources : liftingResources(plan);
  if (Object.keys(resources).length > 0) {
    const end = await room.host.shim.runToEnd({
      argv: [program, "--root", runtimeRoot(room.host.paths), "update", "--resources", "-", record.id],
      input: JSON.stringify(resources),
      timeLimitMs: updateTimeMs,
    });
    if (end.code !== 0) throw new Fault("conflict", lastLine(end.stderr), { remedy: refusedRemedy });
  }
  for (const limit of plan.lifts) await room.host.cgroups.lift(cgroupOf(room, record.id), limit);
}

const updateTimeMs = 10_000;
const refusedRemedy =
  "The kernel refused it, and nothing has changed: a memory limit, say, cannot be below what is in use.";

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}

function refusal(id: string, error: unknown): unknown {
  if (!(error instanceof Fault)) return error;
  return new Fault(error.kind, `Cannot update container ${id}: ${error.message}`, {
    cause: error,
    ...(error.remedy !== undefined && { remedy: error.remedy }),
  });
}
