import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { Database } from "#host";

/** A database in memory, or in a file that outlives a killed process. Rooms migrate it step by step, as they do the real one. */
export function scratchDatabase(path = ":memory:"): Database {
  const sqlite = new DatabaseSync(path);
  sqlite.exec("CREATE TABLE IF NOT EXISTS migrations (room TEXT PRIMARY KEY, step INTEGER NOT NULL) STRICT");
  const prepare = (sql: string): ReturnType<DatabaseSync["prepare"]> => {
    const statement = sqlite.prepare(sql);
    statement.setReadBigInts(true);
    return statement;
  };
  const transaction = <Result>(work: () => Result): Result => {
    if (sqlite.isTransaction) return work();
    sqlite.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      sqlite.exec("COMMIT");
      return result;
    } catch (error) {
      if (sqlite.isTransaction) sqlite.exec("ROLLBACK");
      throw error;
    }
  };
  return {
    migrate: (room, steps) => {
      transaction(() => {
        const row = sqlite.prepare("SELECT step FROM migrations WHERE room = ?").get(room) as
          | { step: number }
          | undefined;
        for (const step of steps.slice(row?.step ?? 0)) sqlite.exec(step);
        sqlite.prepare("INSERT OR REPLACE INTO migrations VALUES (?, ?)").run(room, steps.length);
      });
    },
    get: <Row extends object>(sql: string, ...parameters: readonly unknown[]) =>
      prepare(sql).get(...valuesOf(parameters)) as Row | undefined,
    all: <Row extends object>(sql: string, ...parameters: readonly unknown[]) =>
      prepare(sql).all(...valuesOf(parameters)) as Row[],
    run: (sql, ...parameters) => Number(prepare(sql).run(...valuesOf(parameters)).changes),
    transaction,
    sync: async () => undefined,
  };
}

function valuesOf(parameters: readonly unknown[]): SQLInputValue[] {
  return [...parameters] as SQLInputValue[];
}
