import type { Client } from "#api/client";
import { isFault } from "#core/fault";
import { type Figures, figuresOf } from "./figures.ts";

/** One container that is watched. */
export interface BoardRow {
  /** As it was named on the command line, else the short id. */
  readonly label: string;
  /** Absent before the first reading, and when reading failed. */
  figures?: Figures;
  failure?: unknown;
}

/** Watches containers, one stream for each; rows come and go with the containers. */
export class StatsBoard {
  readonly #client: Client;
  readonly #signal: AbortSignal;
  readonly #rows = new Map<string, BoardRow & { readonly aborter: AbortController }>();

  constructor(client: Client, signal: AbortSignal) {
    this.#client = client;
    this.#signal = signal;
  }

  /** In the order in which they came. */
  get rows(): readonly BoardRow[] {
    return [...this.#rows.values()];
  }

  /** Begins to watch; resolves at the first reading, or when there will be none. */
  async add(id: string, label: string): Promise<void> {
    if (this.#rows.has(id)) return;
    const row = { label, aborter: new AbortController() };
    this.#rows.set(id, row);
    const { promise, resolve } = Promise.withResolvers<void>();
    void this.#follow(id, row, resolve).finally(resolve);
    await promise;
  }

  remove(id: string): void {
    this.#rows.get(id)?.aborter.abort();
    this.#rows.delete(id);
  }

  async #follow(
    id: string,
    row: BoardRow & { readonly aborter: AbortController },
    onReading: () => void,
  ): Promise<void> {
    const signal = AbortSignal.any([this.#signal, row.aborter.signal]);
    try {
      for await (const sample of await this.#client.containers.stats(id, {}, signal)) {
        row.figures = figuresOf(sample);
        onReading();
      }
      // The container is removed.
      if (this.#rows.get(id) === row) this.#rows.delete(id);
    } catch (error) {
      if (signal.aborted) return;
      delete row.figures;
      row.failure = error;
    }
  }
}

/** A single reading of each container; those that are gone by now are left out when `named` is false. */
export async function readOnce(
  client: Client,
  containers: readonly { readonly id: string; readonly label: string }[],
  named: boolean,
): Promise<BoardRow[]> {
  const rows = await Promise.all(
    containers.map(async ({ id, label }): Promise<BoardRow | undefined> => {
      try {
        for await (const sample of await client.containers.stats(id, { stream: false }))
          return { label, figures: figuresOf(sample) };
        return { label };
      } catch (failure) {
        return !named && isFault(failure, "notFound") ? undefined : { label, failure };
      }
    }),
  );
  return rows.filter((row) => row !== undefined);
}
