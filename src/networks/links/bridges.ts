import type { Network } from "../networks.ts";
import { Bridge, type BridgeWorkshop } from "./bridge.ts";

/** The bridges of all bridge networks, each made with the first need. */
export class Bridges {
  readonly #workshop: BridgeWorkshop;
  readonly #all = new Map<string, Bridge>();

  constructor(workshop: BridgeWorkshop) {
    this.#workshop = workshop;
  }

  of(network: Network): Bridge {
    const known = this.#all.get(network.id);
    if (known !== undefined) return known;
    const bridge = new Bridge(this.#workshop, network);
    this.#all.set(network.id, bridge);
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
    return this.#all.values().find((bridge) => bridge.isMade && bridge.name === name);
  }

  /** The network is removed. */
  drop({ id }: Network): void {
    this.#all.delete(id);
  }

  /** Somebody may have removed any of them, or the table. */
  forget(): void {
    for (const bridge of this.#all.values()) bridge.forget();
  }
}
