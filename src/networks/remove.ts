import { isPredefined } from "./which-network.ts";
import { Fault } from "#core/fault";
import { reportNetwork } from "./network-events.ts";
import type { Wiring } from "./wiring.ts";

/** Removes a network that nobody is in. */
export async function removeNetwork(wiring: Wiring, nameOrId: string): Promise<void> {
  const { records, drivers, events } = wiring;
  const network = records.find(nameOrId);
  const { id, name } = network;
  if (isPredefined(name)) throw new Fault("forbidden", `${name} is a pre-defined network and cannot be removed`);
  const members = records.members(id);
  if (members.length > 0) {
    const shown = members.map(
      ({ containerName, endpoint }) => `name:${JSON.stringify(containerName)} id:"${endpoint.endpointId.slice(0, 12)}"`,
    );
    throw new Fault(
      "forbidden",
      `error while removing network: network ${name} has active endpoints (${shown.join(", ")})`,
      { remedy: `Stop these containers or disconnect them: docker network disconnect ${name} CONTAINER.` },
    );
  }
  // At once, so that nobody gets in meanwhile. A link that is left over after a crash is a stray one.
  records.remove(id);
  try {
    await drivers(network.driver).remove(network);
  } catch (error) {
    // So that it can be removed again.
    records.add(network);
    throw error;
  }
  reportNetwork(events, "destroy", network);
}
