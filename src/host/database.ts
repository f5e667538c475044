import { chmodSync, closeSync, openSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { Fault } from "#core/fault";
import { reserveRoom } from "./database-reserve.ts";
import { logSync } from "./database-sync.ts";
import type { GroupSync } from "./group-sync.ts";
import type { Database, SqlValue } from "./host.ts";

/** A database that can be closed; only its opener does. */
export interface OpenDatabase extends Database {
  close(): void;
}

/**
 * Opens (or makes) the instance's SQLite database. It is held exclusively: a second daemon on the same data root gets
 * Fault `conflict`, and the lock goes with the process, however it ends.
 */
export function openDatabase(path: string): OpenDatabase {
  if (path !== ":memory:") makePrivate(path);
  const sqlite = new DatabaseSync(path);
  try {
    // Exclusive before WAL: no shared-memory file, and the lock is this process' own.
    sqlite.exec(
      "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON",
    );
    sqlite.exec("CREATE TABLE IF NOT EXISTS migrations (room TEXT PRIMARY KEY, step INTEGER NOT NULL) STRICT");
    sqlite.exec("BEGIN IMMEDIATE; COMMIT");
    reserveRoom(sqlite);
  } catch (error) {
    sqlite.close();
    throw openFault(path, error);
  }
  return new SqliteDatabase(sqlite, path === ":memory:" ? undefined : logSync(path));
}

/** Only the owner may read it (environments are secrets) or lock it; SQLite would leave that to the umask, and gives its journal the same mode. */
export function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    chmodSync(path, 0o600);
  }
}

class SqliteDatabase implements OpenDatabase {
  readonly #sqlite: DatabaseSync;
  readonly #log: GroupSync | undefined;
  /** Bounded by the program's own text: statements are literals. */
  readonly #statements = new Map<string, StatementSync>();

  constructor(sqlite: DatabaseSync, log: GroupSync | undefined) {
    this.#sqlite = sqlite;
    this.#log = log;
  }

  migrate(room: string, steps: readonly string[]): void {
    this.transaction(() => {
      const done = this.get<{ step: number }>("SELECT step FROM migrations WHERE room = ?", room)?.step ?? 0;
      if (done > steps.length) {
        throw new Fault("conflict", `the data of ${room} was written by a newer version of slipway`, {
          remedy: "Install that version again, or use another --data-root.",
        });
      }
      for (const step of steps.slice(done)) this.#sqlite.exec(step);
      this.run(
        "INSERT INTO migrations VALUES (?, ?) ON CONFLICT (room) DO UPDATE SET step = excluded.step",
        room,
        steps.length,
      );
    });
  }

  get<Row extends object>(sql: string, ...parameters: readonly SqlValue[]): Row | undefined {
    const row = this.#prepare(sql).get(...parameters);
    return row === undefined ? undefined : (narrow(row) as Row);
  }

  all<Row extends object>(sql: string, ...parameters: readonly SqlValue[]): Row[] {
    return this.#prepare(sql)
      .all(...parameters)
      .map((row) => narrow(row) as Row);
  }

  run(sql: string, ...parameters: readonly SqlValue[]): number {
    try {
      return Number(this.#prepare(sql).run(...parameters).changes);
    } catch (error) {
      throw writeFault(error);
    }
  }

  transaction<Result>(work: () => Result): Result {
    if (this.#sqlite.isTransaction) return work();
    this.#sqlite.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#sqlite.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#sqlite.isTransaction) this.#sqlite.exec("ROLLBACK");
      throw writeFault(error);
    }
  }

  async sync(): Promise<void> {
    await this.#log?.sync();
  }

  close(): void {
    this.#statements.clear();
    this.#sqlite.close();
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#sqlite.prepare(sql);
    statement.setReadBigInts(true);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** Integers come as numbers where a number holds them exactly, else (nanosecond times) as bigint. */
function narrow(row: Record<string, unknown>): Record<string, unknown> {
  for (const [column, value] of Object.entries(row)) {
    if (typeof value === "bigint" && value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER)
      row[column] = Number(value);
  }
  return row;
}

function sqliteCode(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number"
    ? error.errcode & 0xff
    : undefined;
}

function openFault(path: string, error: unknown): unknown {
  const [busy, corrupt, full, notADatabase] = [5, 11, 13, 26];
  switch (sqliteCode(error)) {
    case full:
      return writeFault(error);
    case busy:
      return new Fault("conflict", `another slipway daemon already uses ${path}`, {
        cause: error,
        remedy: "Stop that daemon, or give this one its own --data-root and --exec-root.",
      });
    case corrupt:
    case notADatabase:
      return new Fault("internal", `the database ${path} is damaged`, {
        cause: error,
        remedy:
          "Restore it from a backup, or move it away: images and containers are then unknown to slipway, their files stay.",
      });
    default:
      return new Fault(
        "internal",
        `cannot open the database ${path}: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
  }
}

function writeFault(error: unknown): unknown {
  const full = 13;
  if (sqliteCode(error) !== full) return error;
  return new Fault("exhausted", "no space left on device", {
    cause: error,
    remedy: "Free disk space: `slipway system df`, `slipway system prune`.",
  });
}
