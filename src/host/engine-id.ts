import { randomUUID } from "node:crypto";
import type { Database } from "./host.ts";

/** The name of this daemon's data for `/info`: a UUID, made at the first start, that stays with the data root. */
export function engineId(database: Database): string {
  database.migrate("engine", ["CREATE TABLE engine (id TEXT NOT NULL) STRICT"]);
  return database.transaction(() => {
    const known = database.get<{ id: string }>("SELECT id FROM engine");
    if (known !== undefined) return known.id;
    const id = randomUUID();
    database.run("INSERT INTO engine VALUES (?)", id);
    return id;
  });
}
