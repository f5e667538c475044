import type { Network } from "../networks.ts";
import { Bridge, type BridgeWorkshop } from "./bridge.ts";

/** The bridges of all bridge networks, each made with the first need. */
export class Bridges {
  readonly #workshop: BridgeWorkshop;
  /** By the network's id. */
  readonly #all = new Map<string, Bridge>();
  readonly #byName = new Map<string, Bridge>();

  constructor(workshop: BridgeWorkshop) {
    this.#workshop = workshop;
  }

  of(network: Network): Bridge {
    const known = this.#all.get(network.id);
    if (known !== undefined) return known;
    const bridge = new Bridge(this.#workshop, network);
    this.#all.set(network.id, bridge);
    this.#byName.set(bridge.name, bridge);
    return bridge;
  }

  /** The one of the network `bridge`. */
  get default(): Bridge {
    return this.of(this.#workshop.records.find("bridge"));
  }

  /** Those that are to be on the host. */
  get made(): Bridge[] {
    return [...this.#all.values()].filter(({ isMade }) => isMade);
  }

  /** Of those the one of that name. */
  madeNamed(name: string): Bridge | undefined {
    const bridge = this.#byName.get(name);
    return bridge?.isMade === true ? bridge : undefined;
  }

  /** The network is removed. */
  drop({ id }: Network): void {
    const bridge = this.#all.get(id);
    if (bridge === undefined) return;
    this.#all.delete(id);
    if (this.#byName.get(bridge.name) === bridge) this.#byName.delete(bridge.name);
  }

  /** Somebody may have removed any of them, or the table. */
  forget(): void {
    for (const bridge of this.#all.values()) bridge.forget();
  }
}
