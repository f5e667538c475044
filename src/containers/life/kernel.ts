import { Fault } from "#core/fault";
import { splitSysctls } from "../config/sysctls.ts";
import type { ContainerSpec } from "../containers.ts";
import type { Room } from "../room.ts";
import type { ContainerRecord } from "../store.ts";
import { cgroupOf, isCrun, runtimePathOf } from "./runtime.ts";

/**
 * Sets what the container's runtime cannot: the real-time runtime of the groups above its own, and (unless it is crun) the parameters
 * of its network. A runtime is started in that network, which runc therefore takes for the host's and refuses to change.
 * Answers what is left for the runtime.
 */
export async function prepareKernel(
  room: Room,
  record: ContainerRecord,
  networkNamespace: string | undefined,
): Promise<ContainerSpec> {
  const { spec, id } = record;
  if (spec.limits.cpuRealtimeRuntime > 0) await room.host.cgroups.grantRealtime(cgroupOf(room, id));
  const { network, others } = splitSysctls(spec.sysctls);
  if (network.length === 0 || networkNamespace === undefined || isCrun(runtimePathOf(room, record))) return spec;
  const end = await room.host.shim.runToEnd({
    argv: ["sh", "-c", writeAll, "sh", ...network.flatMap(({ path, value }) => [path, value])],
    netns: networkNamespace,
    timeLimitMs: 10_000,
  });
  if (end.code !== 0) throw new Fault("invalid", `cannot set a sysctl: ${end.stderr.trim()}`);
  return { ...spec, sysctls: others };
}

const writeAll = 'while [ $# -gt 0 ]; do printf %s "$2" >"/proc/sys/$1" || exit 1; shift 2; done';
