import { Fault } from "#core/fault";
import type { Wiring } from "../wiring.ts";
import { release } from "./release.ts";

/** Gives back what a container that is gone still has, as its release failed. Fault `notFound`, in Docker's words, when it has nothing in that network. */
export async function evict(wiring: Wiring, networkNameOrId: string, container: string): Promise<void> {
  const { records } = wiring;
  const members = records.members(records.find(networkNameOrId).id);
  const member = members.find(
    ({ containerName, endpoint }) => containerName === container || endpoint.containerId === container,
  );
  if (member === undefined) throw new Fault("notFound", `endpoint ${container} not found`);
  await release(wiring, member.endpoint.containerId);
}
