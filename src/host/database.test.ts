import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isFault } from "#core/fault";
import { openDatabase } from "./database.ts";

const folder = mkdtempSync(join(tmpdir(), "slipway-database-"));
after(() => rmSync(folder, { recursive: true }));

test("migrate: runs each step once and refuses data of a newer version", () => {
  const database = openDatabase(join(folder, "migrate.db"));
  database.migrate("a", ["CREATE TABLE t (x INTEGER) STRICT"]);
  database.migrate("a", ["CREATE TABLE t (x INTEGER) STRICT", "INSERT INTO t VALUES (7)"]);
  assert.deepEqual({ ...database.get("SELECT x FROM t") }, { x: 7 });
  assert.throws(
    () => database.migrate("a", []),
    (error) => isFault(error, "conflict"),
  );
  database.close();
});

test("transaction: keeps nothing when the work throws, and nests", () => {
  const database = openDatabase(join(folder, "transaction.db"));
  database.migrate("a", ["CREATE TABLE t (x INTEGER) STRICT"]);
  assert.throws(() =>
    database.transaction(() => {
      database.run("INSERT INTO t VALUES (1)");
      database.transaction(() => database.run("INSERT INTO t VALUES (2)"));
      throw new Error("stop");
    }),
  );
  assert.equal(database.all("SELECT * FROM t").length, 0);
  database.close();
});

test("get: nanosecond times come back whole, small integers as numbers", () => {
  const database = openDatabase(join(folder, "integers.db"));
  database.migrate("a", ["CREATE TABLE t (big INTEGER, small INTEGER) STRICT"]);
  database.run("INSERT INTO t VALUES (?, ?)", 1_790_000_000_123_456_789n, 5);
  assert.deepEqual({ ...database.get("SELECT * FROM t") }, { big: 1_790_000_000_123_456_789n, small: 5 });
  database.close();
});

test("openDatabase: a damaged file is a Fault that says so", () => {
  const path = join(folder, "damaged.db");
  writeFileSync(path, "this is not a database, however long it may be ".repeat(50));
  assert.throws(() => openDatabase(path), /is damaged/);
});

test("openDatabase: only its owner may read it, whatever the umask and whatever it was before", () => {
  const path = join(folder, "private.db");
  openDatabase(path).close();
  assert.equal(statSync(path).mode & 0o777, 0o600);
  chmodSync(path, 0o644);
  const database = openDatabase(path);
  database.migrate("a", ["CREATE TABLE t (x INTEGER) STRICT"]);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(`${path}-wal`).mode & 0o777, 0o600);
  database.close();
});
