import { Fault } from "#core/fault";
import type { Address, Family } from "../addresses/address.ts";
import { checkBridgeOptions } from "../create-options.ts";
import type { Firewall } from "../firewall/firewall.ts";
import type { Bridge } from "../links/bridge.ts";
import { bridgeNameOf, bridgeOption, networkRulesOf } from "../links/bridge-plan.ts";
import type { Bridges } from "../links/bridges.ts";
import { removalLine } from "../links/link-commands.ts";
import { plugIn } from "../links/plug.ts";
import type { InstanceNames } from "../names.ts";
import type { Network, NetworkRequest } from "../networks.ts";
import type { NetworkPrograms } from "../programs.ts";
import type { EndpointRecord, NetworkRecords } from "../records.ts";
import { onBridge } from "../slots/prepare-endpoints.ts";
import { type Driver, type EndpointPlug, isHosted } from "./driver.ts";

/** What the driver is made of. */
export interface BridgeDriverParts {
  readonly records: NetworkRecords;
  readonly programs: NetworkPrograms;
  readonly names: InstanceNames;
  readonly bridges: Bridges;
  readonly firewall: Firewall;
}

/** `bridge`: a bridge of the host for each network, and a veth pair for each endpoint. */
export class BridgeDriver implements Driver {
  readonly #parts: BridgeDriverParts;

  constructor(parts: BridgeDriverParts) {
    this.#parts = parts;
  }

  async check({ options, internal }: NetworkRequest): Promise<readonly string[]> {
    return await Promise.resolve(checkBridgeOptions(options, internal));
  }

  mustBeFree({ options }: NetworkRequest): void {
    const bridge = options[bridgeOption.name];
    if (bridge === undefined) return;
    const other = this.#parts.records.list().find((each) => isHosted(each) && bridgeNameOf(each) === bridge);
    if (other === undefined) return;
    throw new Fault("forbidden", `cannot create network with bridge name ${bridge}: the network ${other.name} has it`);
  }

  of(network: Network): Bridge {
    return this.#parts.bridges.of(network);
  }

  async create(network: Network, undo: AsyncDisposableStack): Promise<void> {
    const { bridges, firewall } = this.#parts;
    undo.defer(() => bridges.drop(network));
    const bridge = bridges.of(network);
    undo.defer(async () => await bridge.remove());
    // Perhaps the whole table was written with it.
    undo.defer(() => firewall.forget());
    await bridge.ensure();
    await firewall.addNetwork(networkRulesOf(network));
  }

  async remove(network: Network): Promise<void> {
    const { bridges, firewall } = this.#parts;
    const bridge = bridges.of(network);
    bridges.drop(network);
    await bridge.remove();
    // The rules of a bridge that is gone do nothing: the next ones to be written are without them.
    await firewall.removeNetwork(networkRulesOf(network)).catch(() => firewall.forget());
  }

  hostLink(network: Network): string {
    return bridgeNameOf(network);
  }

  newLink(): string {
    return this.#parts.names.newLink();
  }

  async plug(network: Network, { plan, pid, ways, settings }: EndpointPlug): Promise<void> {
    const { bridges, programs } = this.#parts;
    const bridge = bridges.of(network);
    const gateway = (family: Family): Address | undefined => ways.find((way) => way.family === family)?.gateway;
    await onBridge(bridge, async () => {
      try {
        const plug = { plan, bridge: bridge.plan, pid, gateway4: gateway(4), gateway6: gateway(6), settings };
        await plugIn(programs, [plug]);
      } catch (error) {
        // What was made of it would be in the way of the next try.
        await programs.linksEach([removalLine(plan.link)]);
        throw error;
      }
    });
  }

  async unplug({ link }: EndpointRecord): Promise<void> {
    await this.#parts.programs.linksEach([removalLine(link)]);
  }
}
