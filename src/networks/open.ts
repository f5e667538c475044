import type { Networks, NetworksOptions } from "./networks.ts";

/** Opens the room: makes the default networks' records; bridge and ruleset follow with the first need. */
export async function openNetworks(options: NetworksOptions): Promise<Networks> {
  throw new Error(`not written yet: ${options.paths.dataRoot}`);
}
