import type { Clock } from "#core/clock";
import type { Digest } from "#core/digest";
import type { Database } from "#host";
import type { Layers, StackLayer } from "#images";

/** What a step made, under the key of all that it was made of. */
export interface StepResult {
  readonly key: Digest;
  readonly below: Digest | undefined;
  /** With its layer. */
  readonly stack: Digest | undefined;
  /** Absent: it changed no file. */
  readonly layer?: StackLayer;
  /** The instruction. */
  readonly description: string;
  readonly sizeBytes: number;
  readonly createdNs: bigint;
  readonly usedNs: bigint;
  readonly uses: number;
}

/** The results of steps, each with a durable hold on its layers. */
export class StepResults {
  readonly #database: Database;
  readonly #layers: Layers;
  readonly #clock: Clock;

  constructor(database: Database, layers: Layers, clock: Clock) {
    this.#database = database;
    this.#layers = layers;
    this.#clock = clock;
  }

  /** The result of that key, when all of it is still here; it counts as used. */
  take(key: Digest): StepResult | undefined {
    const row = this.#database.get<ResultRow>("SELECT * FROM build_cache WHERE key = ?", key);
    if (row === undefined) return undefined;
    const result = resultOf(row);
    if (result.stack !== undefined && !this.#layers.has(result.stack)) {
      this.#forget(key);
      return undefined;
    }
    this.#database.run("UPDATE build_cache SET used_ns = ?, uses = uses + 1 WHERE key = ?", this.#clock.now(), key);
    return result;
  }

  /** Keeps a result. The caller's lease protects its layers until then. */
  add(made: Pick<StepResult, "key" | "below" | "stack" | "layer" | "description">): StepResult {
    const now = this.#clock.now();
    const { key, below, stack, layer, description } = made;
    const sizeBytes = layer === undefined || stack === undefined ? 0 : this.#layers.sizeBytesOf(stack);
    this.#database.transaction(() => {
      this.#database.run(
        "INSERT OR REPLACE INTO build_cache VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
        key,
        below ?? null,
        stack ?? null,
        layer === undefined ? null : JSON.stringify(layer),
        description.slice(0, longestDescription),
        sizeBytes,
        now,
        now,
      );
      if (stack !== undefined)
        this.#layers.hold(ownerOf(key), { stacks: [stack], blobs: layer === undefined ? [] : [layer.blob.digest] });
    });
    return { ...made, sizeBytes, createdNs: now, usedNs: now, uses: 1 };
  }

  all(): StepResult[] {
    return this.#database.all<ResultRow>("SELECT * FROM build_cache ORDER BY created_ns, key").map(resultOf);
  }

  /** Lets go of results and of their layers, as far as nobody else holds these. Answers the bytes that came free. */
  async remove(keys: readonly Digest[]): Promise<number> {
    this.#database.transaction(() => {
      for (const key of keys) this.#database.run("DELETE FROM build_cache WHERE key = ?", key);
    });
    return await this.#layers.letGo(keys.map(ownerOf));
  }

  #forget(key: Digest): void {
    this.#database.run("DELETE FROM build_cache WHERE key = ?", key);
  }
}

const longestDescription = 1000;

function ownerOf(key: Digest): string {
  return `build:${key}`;
}

interface ResultRow {
  readonly key: Digest;
  readonly below: Digest | null;
  readonly stack: Digest | null;
  readonly layer: string | null;
  readonly description: string;
  readonly size_bytes: number;
  readonly created_ns: number | bigint;
  readonly used_ns: number | bigint;
  readonly uses: number;
}

function resultOf(row: ResultRow): StepResult {
  return {
    key: row.key,
    below: row.below ?? undefined,
    stack: row.stack ?? undefined,
    ...(row.layer !== null && { layer: JSON.parse(row.layer) as StackLayer }),
    description: row.description,
    sizeBytes: row.size_bytes,
    createdNs: BigInt(row.created_ns),
    usedNs: BigInt(row.used_ns),
    uses: row.uses,
  };
}
