import { basename } from "node:path";
import { Fault } from "#core/fault";
import { runtimeRoot } from "./folders.ts";
import type { Room } from "../room.ts";
import type { ContainerRecord } from "../store.ts";

/** The OCI runtime's command line for one operation on a container of this daemon. Fault `unavailable` when that runtime is gone. */
export function runtimeArgv(
  room: Pick<Room, "host">,
  record: Pick<ContainerRecord, "spec">,
  logPath: string,
  operation: readonly string[],
): string[] {
  const root = runtimeRoot(room.host.paths);
  return [runtimePathOf(room, record), "--root", root, "--log", logPath, "--log-format", "json", ...operation];
}

/** The program of the container's runtime. Fault `unavailable` when it is gone. */
export function runtimePathOf({ host }: Pick<Room, "host">, { spec }: Pick<ContainerRecord, "spec">): string {
  const name = spec.runtime ?? host.runtimes.default;
  const path = host.runtimes.paths[name];
  if (path !== undefined) return path;
  throw new Fault("unavailable", `the OCI runtime ${name} is not installed`, { remedy: `Install ${name}.` });
}

/** Whether that program is crun, which can do some things that other runtimes cannot. */
export function isCrun(runtimePath: string): boolean {
  return basename(runtimePath) === "crun";
}

/** The cgroup of a container, relative to the controllers' mounts: in its own parent, else the daemon's. */
export function cgroupOf(room: Pick<Room, "host" | "cgroupParent" | "store">, id: string): string {
  return room.host.cgroups.pathOf(id, room.store.get(id)?.spec.cgroupParent ?? room.cgroupParent);
}
