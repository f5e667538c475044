import { rm } from "node:fs/promises";
import { isFault } from "#core/fault";
import { foldersOf, runtimeRoot } from "./folders.ts";
import type { Room } from "../room.ts";
import { cgroupOf } from "./runtime.ts";

/** Ends whatever is left of a container that has no monitor any more: its processes, the runtime's state, its cgroup, its bundle. Quiet when nothing is. */
export async function tearDown(room: Pick<Room, "host" | "cgroupParent" | "store">, id: string): Promise<void> {
  const { host } = room;
  const folders = foldersOf(host.paths, id);
  // Processes first: without them the runtime's delete cannot fail on them.
  await host.cgroups.remove(cgroupOf(room, id));
  const name = room.store.get(id)?.spec.runtime ?? host.runtimes.default;
  const program = host.runtimes.paths[name];
  if (program !== undefined) {
    const argv = [program, "--root", runtimeRoot(host.paths), "delete", "--force", id];
    try {
      await host.shim.runToEnd({ argv, timeLimitMs: deleteTimeMs });
    } catch (error) {
      if (!isFault(error, "notFound")) throw error; // a program that is gone keeps nothing
    }
  }
  await rm(folders.bundle, { recursive: true, force: true });
}

const deleteTimeMs = 15_000;
