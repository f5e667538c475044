import type { Clock } from "#core/clock";
import { type Digest, digestOf } from "#core/digest";
import type { Database } from "#host";

/** What an instruction chose of a stack of layers. */
export interface KnownSelection {
  readonly names: readonly string[];
  readonly digest: Digest;
}

/** What was chosen of which stack: stacks never change, so nobody need look, or read, again. A bounded number of them. */
export class Selections {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  get(stack: Digest | undefined, selection: object): KnownSelection | undefined {
    const key = keyOf(stack, selection);
    const row = this.#database.get<{ names: string; digest: Digest }>(
      "SELECT names, digest FROM build_selection WHERE key = ?",
      key,
    );
    if (row === undefined) return undefined;
    this.#database.run("UPDATE build_selection SET used_ns = ? WHERE key = ?", this.#clock.now(), key);
    return { names: JSON.parse(row.names) as string[], digest: row.digest };
  }

  put(stack: Digest | undefined, selection: object, { names, digest }: KnownSelection): void {
    this.#database.run(
      "INSERT OR REPLACE INTO build_selection VALUES (?, ?, ?, ?)",
      keyOf(stack, selection),
      JSON.stringify(names),
      digest,
      this.#clock.now(),
    );
  }

  /** Forgets the oldest beyond the bound. */
  trim(): void {
    this.#database.run(
      "DELETE FROM build_selection WHERE key IN (SELECT key FROM build_selection ORDER BY used_ns DESC LIMIT -1 OFFSET ?)",
      mostSelections,
    );
  }
}

const mostSelections = 10_000;

function keyOf(stack: Digest | undefined, selection: object): Digest {
  return digestOf(JSON.stringify([stack ?? "", selection]));
}
