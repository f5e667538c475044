import type { Clock } from "#core/clock";
import { type Digest, digestOf } from "#core/digest";
import type { Database } from "#host";
import { Ingredients } from "./ingredients.ts";

/** What each step of each build was last made of, so that a person can be told what changed. A bounded number of them. */
export class Slots {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** What it was made of the last time. */
  get(slot: string): Ingredients | undefined {
    const row = this.#database.get<{ ingredients: string }>(
      "SELECT ingredients FROM build_slot WHERE slot = ?",
      nameOf(slot),
    );
    return row === undefined ? undefined : Ingredients.parse(row.ingredients);
  }

  put(slot: string, ingredients: Ingredients): void {
    const now = this.#clock.now();
    this.#database.run(
      "INSERT INTO build_slot VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET ingredients = excluded.ingredients, used_ns = excluded.used_ns",
      nameOf(slot),
      ingredients.text,
      now,
    );
  }

  /** Forgets the oldest beyond the bound. */
  trim(): void {
    this.#database.run(
      "DELETE FROM build_slot WHERE slot IN (SELECT slot FROM build_slot ORDER BY used_ns DESC LIMIT -1 OFFSET ?)",
      mostSlots,
    );
  }
}

const mostSlots = 5000;

function nameOf(slot: string): Digest {
  return digestOf(slot);
}
