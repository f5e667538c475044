import { Fault } from "#core/fault";
import { runtimeRoot } from "./folders.ts";
import type { Room } from "./room.ts";
import type { ContainerRecord } from "./store.ts";

/** The OCI runtime's command line for one operation on a container of this daemon. Fault `unavailable` when that runtime is gone. */
export function runtimeArgv(
  room: Pick<Room, "host">,
  record: Pick<ContainerRecord, "spec">,
  logPath: string,
  ...operation: readonly string[]
): string[] {
  const { runtimes, paths } = room.host;
  const name = record.spec.runtime ?? runtimes.default;
  const program = runtimes.paths[name];
  if (program === undefined) {
    throw new Fault("unavailable", `the OCI runtime ${name} is not installed`, { remedy: `Install ${name}.` });
  }
  return [program, "--root", runtimeRoot(paths), "--log", logPath, "--log-format", "json", ...operation];
}

/** The cgroup of a container, relative to the controllers' mounts. */
export function cgroupOf(room: Pick<Room, "host" | "cgroupParent">, id: string): string {
  return room.host.cgroups.pathOf(id, room.cgroupParent);
}
