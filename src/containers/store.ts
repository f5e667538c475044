import type { Database } from "#host";
import { Fault } from "#core/fault";
import { shortId } from "#core/ids";
import { blankSpec, noLimits } from "./config/blank-spec.ts";
import { endpointsOfMode } from "./config/network-mode.ts";
import type { BindRequest, Container, ContainerSpec, ContainerState, Health } from "./containers.ts";

/** What is kept of a container; its endpoint and execs are known elsewhere. */
export type ContainerRecord = Omit<Container, "attached" | "execIds" | "health" | "ignoresStopSignal">;

/**
 * The containers of this daemon: all in memory, every change in the database too. A record is a few kilobytes, and
 * nothing stays of a container that was removed.
 */
export class Store {
  readonly #database: Database;
  readonly #records = new Map<string, ContainerRecord>();
  readonly #idsByName = new Map<string, string>();
  readonly #health = new Map<string, Health>();

  constructor(database: Database) {
    this.#database = database;
    database.migrate("containers", [
      `CREATE TABLE containers (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        image_id TEXT NOT NULL,
        status TEXT NOT NULL,
        state TEXT NOT NULL,
        restarts INTEGER NOT NULL,
        record TEXT NOT NULL
      ) STRICT`,
      "ALTER TABLE containers ADD COLUMN stopped_by_hand INTEGER NOT NULL DEFAULT 0",
      "ALTER TABLE containers ADD COLUMN health TEXT",
    ]);
    for (const row of database.all<Row>(
      "SELECT name, state, restarts, stopped_by_hand, record, health FROM containers",
    )) {
      const { id } = this.#remember(fromRow(row));
      if (row.health !== null) this.#health.set(id, decode(row.health) as Health);
    }
  }

  get(id: string): ContainerRecord | undefined {
    return this.#records.get(id);
  }

  byName(name: string): ContainerRecord | undefined {
    const id = this.#idsByName.get(name);
    return id === undefined ? undefined : this.#records.get(id);
  }

  all(): Iterable<ContainerRecord> {
    return this.#records.values();
  }

  /** By full id, name with or without slash, or unique prefix of the id (in this order). Faults as `Containers.find`. */
  find(nameOrId: string): ContainerRecord {
    const name = nameOrId.startsWith("/") ? nameOrId.slice(1) : nameOrId;
    const exact = this.#records.get(nameOrId) ?? this.byName(name);
    if (exact !== undefined) return exact;
    const found = nameOrId === "" ? [] : [...this.#records.keys()].filter((id) => id.startsWith(nameOrId));
    if (found.length > 1) {
      throw new Fault("invalid", `multiple IDs found with provided prefix: ${nameOrId}`, {
        remedy: "Give more digits of the id, or the name.",
      });
    }
    const record = found[0] === undefined ? undefined : this.#records.get(found[0]);
    if (record === undefined) throw new Fault("notFound", `No such container: ${nameOrId.slice(0, 256)}`);
    return record;
  }

  /** Adds a container, and in the same transaction what belongs to it elsewhere. Fault `conflict` in Docker's words when its name is taken. */
  insert(record: ContainerRecord, also: () => void = () => {}): void {
    this.#checkName(record.name);
    this.#database.transaction(() => {
      this.#write(record);
      also();
    });
    this.#remember(record);
  }

  #write(record: ContainerRecord): void {
    const { name, state, restartCount, stoppedByHand, ...rest } = record;
    this.#database.run(
      "INSERT INTO containers (id, name, image_id, status, state, restarts, stopped_by_hand, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      record.id,
      name,
      record.imageId,
      state.status,
      encode(state),
      restartCount,
      stoppedByHand ? 1 : 0,
      encode(rest),
    );
  }

  /** A state that must outlive the daemon. When it cannot be written (a full disk), it holds in memory all the same: it has happened. */
  transition(id: string, state: ContainerState, restartCount?: number): ContainerRecord {
    const record = this.#known(id);
    const restarts = restartCount ?? record.restartCount;
    const changed = this.#remember({ ...record, state, restartCount: restarts });
    this.#database.run(
      "UPDATE containers SET status = ?, state = ?, restarts = ? WHERE id = ?",
      state.status,
      encode(state),
      restarts,
      id,
    );
    return changed;
  }

  /** Whether a person stopped it, for `unless-stopped`. */
  markStoppedByHand(id: string, stoppedByHand: boolean): void {
    const record = this.#known(id);
    if (record.stoppedByHand === stoppedByHand) return;
    this.#remember({ ...record, stoppedByHand });
    this.#database.run("UPDATE containers SET stopped_by_hand = ? WHERE id = ?", stoppedByHand ? 1 : 0, id);
  }

  /** What its checks said; undefined when it has none, or never ran. */
  healthOf(id: string): Health | undefined {
    return this.#health.get(id);
  }

  /** Sets it; what is not kept is forgotten with the daemon. */
  setHealth(id: string, health: Health, { keep }: { readonly keep: boolean }): void {
    this.#known(id);
    this.#health.set(id, health);
    if (keep) this.#database.run("UPDATE containers SET health = ? WHERE id = ?", encode(health), id);
  }

  /** Changes what was asked for, as `update` does. */
  respecify(id: string, spec: ContainerSpec): ContainerRecord {
    const { name, state, restartCount, stoppedByHand, ...rest } = { ...this.#known(id), spec };
    this.#database.run("UPDATE containers SET record = ? WHERE id = ?", encode(rest), id);
    return this.#remember({ ...rest, name, state, restartCount, stoppedByHand });
  }

  /** A state that a crash may forget: `starting` shows by itself in the monitor's folder. */
  note(id: string, state: ContainerState): ContainerRecord {
    return this.#remember({ ...this.#known(id), state });
  }

  rename(id: string, name: string): ContainerRecord {
    this.#checkName(name);
    const record = this.#known(id);
    this.#database.run("UPDATE containers SET name = ? WHERE id = ?", name, id);
    this.#idsByName.delete(record.name);
    return this.#remember({ ...record, name });
  }

  /** Removes a container, and in the same transaction what belongs to it elsewhere. */
  delete(id: string, also: () => void = () => {}): void {
    const record = this.#known(id);
    this.#database.transaction(() => {
      this.#database.run("DELETE FROM containers WHERE id = ?", id);
      also();
    });
    this.#records.delete(id);
    this.#health.delete(id);
    this.#idsByName.delete(record.name);
  }

  #known(id: string): ContainerRecord {
    const record = this.#records.get(id);
    if (record === undefined) throw new Fault("notFound", `No such container: ${shortId(id)}`);
    return record;
  }

  #remember(record: ContainerRecord): ContainerRecord {
    this.#records.set(record.id, record);
    this.#idsByName.set(record.name, record.id);
    return record;
  }

  #checkName(name: string): void {
    const owner = this.#idsByName.get(name);
    if (owner === undefined) return;
    throw new Fault(
      "conflict",
      `Conflict. The container name "/${name}" is already in use by container "${owner}". ` +
        "You have to remove (or rename) that container to be able to reuse that name.",
    );
  }
}

interface Row {
  readonly name: string;
  readonly state: string;
  readonly restarts: number;
  readonly stopped_by_hand: number;
  readonly record: string;
  readonly health: string | null;
}

function fromRow(row: Row): ContainerRecord {
  const rest = decode(row.record) as Omit<
    ContainerRecord,
    "name" | "state" | "restartCount" | "stoppedByHand" | "mounts"
  > &
    Partial<Pick<ContainerRecord, "mounts">>;
  const spec = completed(rest.spec);
  return {
    ...rest,
    spec,
    // Before volumes there was nothing to be settled.
    mounts: rest.mounts ?? (spec.mounts as readonly BindRequest[]),
    name: row.name,
    state: decode(row.state) as ContainerState,
    restartCount: row.restarts,
    stoppedByHand: row.stopped_by_hand === 1,
  };
}

/** Records of earlier versions lack what those could not be asked for. */
function completed({ binds = [], ...spec }: Partial<ContainerSpec> & OlderSpec): ContainerSpec {
  return {
    ...blankSpec,
    ...(spec as ContainerSpec),
    mounts: spec.mounts ?? binds.map((bind) => ({ ...bind, kind: "bind" })),
    limits: { ...noLimits, ...spec.limits },
    endpoints: spec.endpoints ?? endpointsOfMode(spec.networkMode ?? "default"),
  };
}

interface OlderSpec {
  readonly binds?: readonly Omit<BindRequest, "kind">[];
}

/** JSON with times: a bigint becomes a list under `$ns`, which no request can bring, as its maps hold texts alone. */
function encode(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === "bigint" ? { $ns: [item.toString()] } : item));
}

function decode(text: string): unknown {
  return JSON.parse(text, (_key, item: unknown) => {
    if (typeof item !== "object" || item === null || !("$ns" in item) || !Array.isArray(item.$ns)) return item;
    return BigInt(String(item.$ns[0]));
  });
}
