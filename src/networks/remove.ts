import { isPredefined } from "./which-network.ts";
import { Fault } from "#core/fault";
import { networkRulesOf } from "./links/bridge-plan.ts";
import { reportNetwork } from "./network-events.ts";
import type { Wiring } from "./wiring.ts";

/** Removes a network that nobody is in. */
export async function removeNetwork(wiring: Wiring, nameOrId: string): Promise<void> {
  const { records, bridges, firewall, events } = wiring;
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
  const bridge = bridges.of(network);
  // At once, so that nobody gets in meanwhile. A bridge that is left over after a crash is a stray one.
  records.remove(id);
  bridges.drop(network);
  try {
    await bridge.remove();
  } catch (error) {
    // So that it can be removed again.
    records.add(network);
    throw error;
  }
  reportNetwork(events, "destroy", network);
  // The rules of a bridge that is gone do nothing: the next ones to be written are without them.
  await firewall.removeNetwork(networkRulesOf(network)).catch(() => firewall.forget());
}
