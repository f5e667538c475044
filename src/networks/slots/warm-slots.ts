import assert from "node:assert/strict";
import type { MonitorSlot, Shim, SlotNamespaces, UserNamespace } from "#host";
import { type EndpointWorkshop, type WarmEndpoint, discardEndpoint, prepareEndpoints } from "./prepare-endpoints.ts";
import { prepareSlots } from "./prepare-slots.ts";
import { WarmPool } from "./warm-pool.ts";

/** What the pools are made with. */
export interface WarmSlotsOptions {
  readonly shim: Pick<Shim, "prepareMonitor">;
  readonly workshop: Omit<EndpointWorkshop, "users">;
  /** Slots kept ready of each kind. */
  readonly target: number;
  /** Whether most containers have user namespaces: their slots are then the ones kept ready. */
  readonly mapsUsers: boolean;
}

/** Slots made ahead of need: on the default bridge, on no network yet, and on the host's; each also with user namespaces. */
export class WarmSlots {
  readonly #options: WarmSlotsOptions;
  readonly #onBridge: Pools<WarmEndpoint>;
  readonly #lonely: Pools<MonitorSlot>;
  readonly #onHost: WarmPool<MonitorSlot>;

  constructor(options: WarmSlotsOptions) {
    this.#options = options;
    const { target, mapsUsers } = options;
    const targets = { plain: mapsUsers ? 0 : target, mapped: mapsUsers ? target : 0 };
    this.#onBridge = { plain: this.#bridgePool(false, targets.plain), mapped: this.#bridgePool(true, targets.mapped) };
    this.#lonely = {
      plain: this.#barePool({ newNetns: true }, targets.plain),
      mapped: this.#barePool({ newNetns: true, newUserns: true }, targets.mapped),
    };
    this.#onHost = this.#barePool({ newNetns: false }, Math.ceil(target / 2));
  }

  /** A slot on the default bridge, address and route set. */
  async takeOnBridge(users: UserNamespace | undefined, signal: AbortSignal): Promise<WarmEndpoint> {
    if (users?.kind !== "shared") return await poolFor(this.#onBridge, users).take(signal);
    const [made] = await prepareEndpoints({ ...this.#options.workshop, users: { userns: users.path } }, 1);
    assert(made !== undefined);
    return made;
  }

  /** A slot in a network namespace with nothing but its loopback. */
  async takeLonely(users: UserNamespace | undefined, signal: AbortSignal): Promise<MonitorSlot> {
    if (users?.kind !== "shared") return await poolFor(this.#lonely, users).take(signal);
    return await this.#options.shim.prepareMonitor({ newNetns: true, userns: users.path });
  }

  async takeOnHost(signal: AbortSignal): Promise<MonitorSlot> {
    return await this.#onHost.take(signal);
  }

  /** Links of endpoints that wait for a container. */
  get readyLinks(): string[] {
    return [...this.#onBridge.plain.ready, ...this.#onBridge.mapped.ready].map(({ link }) => link);
  }

  /** Discards all of them and makes no more. */
  async close(): Promise<void> {
    const pools = [this.#onBridge.plain, this.#onBridge.mapped, this.#lonely.plain, this.#lonely.mapped, this.#onHost];
    await Promise.all(pools.map(async (pool) => await pool.close()));
  }

  #bridgePool(newUserns: boolean, target: number): WarmPool<WarmEndpoint> {
    const { workshop } = this.#options;
    return new WarmPool<WarmEndpoint>({
      prepare: async (count) => await prepareEndpoints({ ...workshop, users: { newUserns } }, count),
      discard: async (warm) => await discardEndpoint(workshop, warm),
      target,
      batch: slotBatch,
    });
  }

  #barePool(namespaces: SlotNamespaces, target: number): WarmPool<MonitorSlot> {
    return new WarmPool({
      prepare: async (count) => await prepareSlots(this.#options.shim, namespaces, count),
      discard: async (slot) => await slot[Symbol.asyncDispose](),
      target,
      batch: slotBatch,
    });
  }
}

interface Pools<Item> {
  readonly plain: WarmPool<Item>;
  /** For containers with user namespaces of their own. */
  readonly mapped: WarmPool<Item>;
}

function poolFor<Item>({ plain, mapped }: Pools<Item>, users: UserNamespace | undefined): WarmPool<Item> {
  return users === undefined ? plain : mapped;
}

/** Most slots made in one go: a burst of starts shares the cost, and its first ones do not wait for the last. */
const slotBatch = 8;
