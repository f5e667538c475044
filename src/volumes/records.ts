import type { Database } from "#host";
import { Fault } from "#core/fault";
import { migrations } from "./migrations.ts";
import type { VolumeUse } from "./volumes.ts";

/** What is kept of a volume. */
export interface VolumeRecord {
  readonly name: string;
  readonly driver: string;
  readonly createdNs: bigint;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

/** The volumes of this daemon, who holds them, and who has them mounted: all in the database. */
export class VolumeRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    database.migrate("volumes", migrations);
  }

  list(): VolumeRecord[] {
    return this.#database.all<Row>("SELECT * FROM volume ORDER BY name").map(fromRow);
  }

  get(name: string): VolumeRecord | undefined {
    const row = this.#database.get<Row>("SELECT * FROM volume WHERE name = ?", name);
    return row === undefined ? undefined : fromRow(row);
  }

  /** Fault `notFound` in Docker's words. */
  find(name: string): VolumeRecord {
    const record = this.get(name);
    if (record === undefined) throw new Fault("notFound", `get ${name.slice(0, 256)}: no such volume`);
    return record;
  }

  /** For who has just made it, or found it. Fault `conflict` when somebody removed it meanwhile. */
  mustBeThere(name: string): VolumeRecord {
    const record = this.get(name);
    if (record === undefined) throw new Fault("conflict", `the volume ${name} was removed meanwhile`);
    return record;
  }

  /** `passing`: it goes with the next start of the daemon unless somebody takes a hold. */
  add({ name, driver, createdNs, labels, options }: VolumeRecord, passing: boolean): void {
    this.#database.run(
      "INSERT INTO volume (name, driver, created_ns, labels, options, passing) VALUES (?, ?, ?, ?, ?, ?)",
      name,
      driver,
      createdNs,
      JSON.stringify(labels),
      JSON.stringify(options),
      passing ? 1 : 0,
    );
  }

  /** Resolves when all changes until now outlive a power cut: before somebody is told of them, and before files follow. */
  async settled(): Promise<void> {
    await this.#database.sync();
  }

  delete(name: string): void {
    this.#database.run("DELETE FROM volume WHERE name = ?", name);
  }

  /** Somebody asked for it by itself: it stays although nobody holds it. */
  keep(name: string): void {
    this.#database.run("UPDATE volume SET passing = 0 WHERE name = ?", name);
  }

  /** Those that somebody is about to hold, or that go anyway. */
  passing(): string[] {
    return this.#database
      .all<{ name: string }>(
        "SELECT name FROM volume WHERE passing = 1 AND name NOT IN (SELECT volume FROM volume_hold) ORDER BY name",
      )
      .map(({ name }) => name);
  }

  hold(holder: string, names: readonly string[]): void {
    this.#database.transaction(() => {
      for (const name of names) {
        this.mustBeThere(name);
        this.#database.run("INSERT OR IGNORE INTO volume_hold VALUES (?, ?)", name, holder);
        this.#database.run("UPDATE volume SET passing = 0 WHERE name = ?", name);
      }
    });
  }

  release(holder: string, passing: readonly string[]): void {
    this.#database.transaction(() => {
      this.#database.run("DELETE FROM volume_hold WHERE holder = ?", holder);
      for (const name of passing) this.#database.run("UPDATE volume SET passing = 1 WHERE name = ?", name);
    });
  }

  holdersOf(name: string): string[] {
    return this.#database
      .all<{ holder: string }>("SELECT holder FROM volume_hold WHERE volume = ? ORDER BY holder", name)
      .map(({ holder }) => holder);
  }

  /** Everybody who holds anything. */
  holders(): string[] {
    return this.#database.all<{ holder: string }>("SELECT DISTINCT holder FROM volume_hold").map((row) => row.holder);
  }

  addMount(name: string, { holder, target, ...use }: VolumeUse): void {
    this.#database.run(
      "INSERT OR REPLACE INTO volume_mount VALUES (?, ?, ?, ?)",
      name,
      holder,
      target,
      JSON.stringify(use),
    );
  }

  removeMount(holder: string, target: string): void {
    this.#database.run("DELETE FROM volume_mount WHERE holder = ? AND target = ?", holder, target);
  }

  /** Who has it mounted, in the order in which they came. */
  usersOf(name: string): string[] {
    return [
      ...new Set(
        this.#database
          .all<{ holder: string }>("SELECT holder FROM volume_mount WHERE volume = ? ORDER BY rowid", name)
          .map(({ holder }) => holder),
      ),
    ];
  }

  mountsOf(holder: string): { readonly volume: string; readonly use: VolumeUse }[] {
    return this.#database
      .all<MountRow>("SELECT * FROM volume_mount WHERE holder = ? ORDER BY rowid", holder)
      .map(({ volume, target, document }) => {
        const use = JSON.parse(document) as Omit<VolumeUse, "holder" | "target">;
        return { volume, use: { ...use, holder, target } };
      });
  }

  /** Everybody who has anything mounted. */
  users(): string[] {
    return this.#database.all<{ holder: string }>("SELECT DISTINCT holder FROM volume_mount").map((row) => row.holder);
  }
}

interface Row {
  readonly name: string;
  readonly driver: string;
  readonly created_ns: bigint | number;
  readonly labels: string;
  readonly options: string;
}

interface MountRow {
  readonly volume: string;
  readonly target: string;
  readonly document: string;
}

function fromRow({ name, driver, created_ns: createdNs, labels, options }: Row): VolumeRecord {
  return {
    name,
    driver,
    createdNs: BigInt(createdNs),
    labels: JSON.parse(labels) as VolumeRecord["labels"],
    options: JSON.parse(options) as VolumeRecord["options"],
  };
}
