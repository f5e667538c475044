import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Digest } from "#core/digest";
import { isFault } from "#core/fault";
import { openDatabase } from "../host/database.ts";
import { type ContainerRecord, Store } from "./store.ts";
import { plainSpec } from "./testing/plain-spec.ts";

function record(id: string, name: string): ContainerRecord {
  return {
    id,
    name,
    createdNs: 1_795_246_328_828_089_403n,
    spec: { ...plainSpec, labels: { $ns: "5" } },
    imageId: "sha256:0" as Digest,
    process: {
      args: ["x"],
      entrypoint: [],
      command: ["x"],
      env: [],
      workingDir: "/",
      user: "",
      stopSignal: "SIGTERM",
      labels: { taken: "5n" },
      exposedPorts: [],
    },
    hostname: "h",
    mounts: [],
    state: { status: "created" },
    restartCount: 0,
    stoppedByHand: false,
    logPath: "",
    files: { hosts: "", hostname: "", resolvConf: "" },
  };
}

test("Store: survives a reopening whole, times included", async () => {
  const dir = await mkdtemp(join(tmpdir(), "slipway-store-"));
  const path = join(dir, "db");
  const database = openDatabase(path);
  const store = new Store(database);
  store.insert(record("aa1", "one"));
  store.transition("aa1", { status: "running", pid: 7, startedNs: 1_795_246_328_828_089_999n });
  store.rename("aa1", "uno");
  const kept = store.get("aa1");
  database.close();
  const again = openDatabase(path);
  assert.deepEqual(new Store(again).get("aa1"), kept);
  again.close();
  await rm(dir, { recursive: true });
});

test("Store: finds by id, name and unique prefix", () => {
  const store = new Store(openDatabase(":memory:"));
  store.insert(record("aa1", "one"));
  store.insert(record("aa2", "bb"));
  store.insert(record("bb3", "three"));
  assert.equal(store.find("aa1").name, "one");
  assert.equal(store.find("/one").id, "aa1");
  assert.equal(store.find("bb").id, "aa2"); // a name goes before a prefix
  assert.equal(store.find("bb3").name, "three");
  assert.throws(
    () => store.find("aa"),
    (error) => isFault(error, "invalid") && error.message === "multiple IDs found with provided prefix: aa",
  );
  for (const absent of ["", "zz", "//one"]) {
    assert.throws(
      () => store.find(absent),
      (error) => isFault(error, "notFound") && error.message === `No such container: ${absent}`,
    );
  }
});

test("Store: a name is one container's at a time, and free after its removal", () => {
  const store = new Store(openDatabase(":memory:"));
  store.insert(record("aa1", "one"));
  assert.throws(
    () => store.insert(record("aa2", "one")),
    (error) => isFault(error, "conflict"),
  );
  store.insert(record("aa2", "two"));
  assert.throws(
    () => store.rename("aa2", "one"),
    (error) => isFault(error, "conflict"),
  );
  store.delete("aa1");
  store.rename("aa2", "one");
  assert.equal(store.byName("one")?.id, "aa2");
  assert.equal(store.byName("two"), undefined);
});
