import type { Containers, ContainersOptions } from "./containers.ts";

/** Opens the room and reconciles: takes up the containers that run, records the ends of those that do not, cleans up after a crash. */
export async function openContainers(options: ContainersOptions): Promise<Containers> {
  throw new Error(`not written yet: ${options.shimPath}`);
}
