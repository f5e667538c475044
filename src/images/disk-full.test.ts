import assert from "node:assert/strict";
import fs from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { asFault, isFault } from "#core/fault";
import { mediaType } from "#core/oci";
import { parseReference } from "#core/reference";
import { digestOf } from "#core/digest";
import { type FaultyRegistry, startFaultyRegistry } from "#fixtures/faulty-registry";
import { databaseFaults } from "#fixtures/full-database";
import { mustRun } from "#fixtures/program";
import { configOf, dockerArchive, loadBytes, openTestRoom, piecesOf, tarOf, type TestRoom } from "./images.fixture.ts";

const signal = new AbortController().signal;

/** A room on a tmpfs, with an image `base:1` and a container of it that wrote something. */
async function roomOnTmpfs(): Promise<TestRoom> {
  await using undo = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "slipway-full-"));
  undo.defer(async () => await rm(folder, { recursive: true }));
  await mustRun("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", folder]);
  undo.defer(async () => void (await mustRun("umount", ["--lazy", folder])));
  const room = await openTestRoom({ folder: join(folder, "room") });
  undo.defer(async () => {
    await mustRun("mount", ["-o", "remount,nr_inodes=0", folder]);
    await room[Symbol.asyncDispose]();
  });
  await loadBytes(room.images, await dockerArchive([{ tags: ["base:1"], layers: [await layerOf("base")] }]));
  const root = await room.images.createRoot(room.images.find("base:1").id, "c");
  for (const name of ["one", "two"])
    fs.writeFileSync(join(root.driver.data["UpperDir"] ?? "", name), name.repeat(1000));
  const held = undo.move();
  return { ...room, [Symbol.asyncDispose]: async () => await held.disposeAsync() };
}

async function layerOf(name: string): Promise<Buffer> {
  return await tarOf([{ path: "d/" }, { path: "d/who", data: name }, { path: "data", data: name.repeat(10_000) }]);
}

/** What is done when the disk is full, by name; each makes an image `made:1`. */
async function works(room: TestRoom, registry: FaultyRegistry): Promise<Record<string, () => Promise<unknown>>> {
  const { images } = room;
  const archive = await dockerArchive([{ tags: ["made:1"], layers: [await layerOf("load"), await layerOf("more")] }]);
  const layer = await layerOf("import");
  const reference = parseReference("made:1");
  const pulled = parseReference(`${registry.address}/made:1`);
  await putApp(registry, await layerOf("pull"));
  return {
    load: async () => await loadBytes(images, archive),
    import: async () => await images.importArchive(piecesOf(layer), { reference, changes: [], message: "" }, signal),
    commit: async () => {
      const options = { reference, config: {}, changes: [], author: "", comment: "", createdBy: "" };
      await images.commitRoot("c", options, signal);
    },
    build: async () => {
      await using lease = images.layers.lease();
      try {
        const base = await images.layers.add(undefined, piecesOf(layer), lease, signal);
        await images.layers.createRoot(base.stack, "step");
        const root = images.openRoot("step").driver.data["UpperDir"] ?? "";
        fs.writeFileSync(join(root, "written"), "written".repeat(1000));
        const made = await images.layers.seal("step", { without: [] }, lease, signal);
        const layers = [base.layer, ...(made === undefined ? [] : [made.layer])];
        const config = { architecture: "amd64", os: "linux", created: "2024-01-01T00:00:00Z" };
        await images.layers.assemble({ config, layers, tags: [reference] }, lease);
      } finally {
        await images.dropRoot("step");
      }
    },
    pull: async () => {
      for await (const _ of images.pull({ reference: pulled }, signal));
    },
  };
}

async function putApp(registry: FaultyRegistry, layer: Buffer): Promise<void> {
  const config = JSON.stringify(configOf({ layers: [layer] }));
  const document = {
    schemaVersion: 2,
    mediaType: mediaType.ociManifest,
    config: { mediaType: mediaType.ociConfig, digest: registry.blob(config), size: config.length },
    layers: [{ mediaType: mediaType.ociLayer, digest: registry.blob(layer), size: layer.length }],
  };
  assert.equal(document.layers[0]?.digest, digestOf(layer));
  registry.manifest(document, mediaType.ociManifest, "1");
}

/** The store is as its records say; a pull that failed may have left blobs for the next one. */
async function assertSound({ images }: TestRoom, where: string): Promise<void> {
  for await (const { text } of images.check({ repair: false, isContainer: () => true }, signal))
    assert.fail(`${where}: ${text}`);
}

function assertFull(failure: unknown, where: string): void {
  const fault = asFault(failure);
  assert.ok(isFault(fault, "exhausted"), `${where}: ${fault.text}`);
}

async function madeIn({ images }: TestRoom): Promise<number> {
  return images.list({ all: true, filters: {} }).length;
}

test("a disk without room for one more file, at each file of load, import, commit, build and pull: said so, nothing half left, then it works", async () => {
  await using registry = await startFaultyRegistry();
  await using room = await roomOnTmpfs();
  const disk = dirname(room.folder);
  for (const [name, work] of Object.entries(await works(room, registry))) {
    let failures = 0;
    for (let left = 0; ; left++) {
      const facts = fs.statfsSync(room.folder);
      await mustRun("mount", ["-o", `remount,nr_inodes=${facts.files - facts.ffree + left}`, disk]);
      const failure: unknown = await work().then(
        () => undefined,
        (error: unknown) => error,
      );
      await mustRun("mount", ["-o", "remount,nr_inodes=100000", disk]);
      await assertSound(room, `${name} with ${left} files left`);
      if (failure === undefined) break;
      failures++;
      assertFull(failure, `${name} with ${left} files left`);
      assert.equal(await madeIn(room), 1, name);
    }
    assert.ok(failures > 3, `${name} failed ${failures} times`);
    await room.images.remove(name === "pull" ? `${registry.address}/made:1` : "made:1", { force: true, prune: true });
    await room.images.collect(new Set(["c"]));
    await assertSound(room, `after ${name}`);
  }
});

test("a disk that is full at each write, rename and folder of load, import, commit, build and pull: the same", async () => {
  await using registry = await startFaultyRegistry();
  await using room = await roomOnTmpfs();
  using faults = await faultPoints();
  for (const [name, work] of Object.entries(await works(room, registry))) {
    let failures = 0;
    // When all is recorded and only its way to the disk fails, the image is there, and nobody may rely on it.
    let late = 0;
    for (let nth = 1; ; nth++) {
      faults.failAt(nth);
      const failure: unknown = await work().then(
        () => undefined,
        (error: unknown) => error,
      );
      const hasFailed = faults.disarm();
      await assertSound(room, `${name} failing at ${nth}`);
      if (failure === undefined) assert.equal(await madeIn(room), 2, name);
      else assertFull(failure, `${name} failing at ${nth}`);
      if (failure !== undefined && (await madeIn(room)) === 2) late++;
      await room.images.prune({ danglingOnly: false, filters: {} });
      await room.images.collect(new Set(["c"]));
      assert.equal(await madeIn(room), 1);
      if (!hasFailed) break;
      failures++;
    }
    assert.ok(failures > 5, `${name} failed ${failures} times`);
    assert.ok(late <= 2, `${name} was recorded ${late} times although it failed`);
  }
});

test("a disk that fails at each write of rmi and gc: the image is whole or gone, and the next collection takes what is left", async () => {
  await using room = await roomOnTmpfs();
  using faults = await faultPoints();
  const { images } = room;
  const archive = await dockerArchive([{ tags: ["made:1"], layers: [await layerOf("load")] }]);
  const removals = {
    rmi: async () => await images.remove("made:1", { force: false, prune: true }),
    gc: async () => {
      const { id, usedNs } = (await images.holdings()).images.find(({ repoTags }) => repoTags.includes("made:1")) ?? {};
      if (id !== undefined && usedNs !== undefined) await images.collectImages([{ id, usedNs }], "disk budget");
    },
  };
  for (const [name, removal] of Object.entries(removals)) {
    let failures = 0;
    for (let nth = 1; ; nth++) {
      await loadBytes(images, archive);
      faults.failAt(nth);
      const failure: unknown = await removal().then(
        () => undefined,
        (error: unknown) => error,
      );
      const hasFailed = faults.disarm();
      if (failure !== undefined) assertFull(failure, `${name} failing at ${nth}`);
      await images.collect(new Set(["c"]));
      await assertSound(room, `${name} failing at ${nth}`);
      if (!hasFailed) break;
      failures++;
    }
    assert.equal(await madeIn(room), 1, name);
    assert.ok(failures > 1, `${name} failed ${failures} times`);
  }
});

test("a database that finds no room at each of its own writes, during rmi, prune and gc: said so, nothing is told that was not done, and the next one goes on", async () => {
  await using room = await roomOnTmpfs();
  using faults = databaseFaults();
  const { images } = room;
  const archive = await dockerArchive([{ tags: ["made:1"], layers: [await layerOf("load")] }]);
  const removals = {
    rmi: async () => await images.remove("made:1", { force: false, prune: true }),
    prune: async () => await images.prune({ danglingOnly: false, filters: {} }),
    gc: async () => {
      const { id, usedNs } = (await images.holdings()).images.find(({ repoTags }) => repoTags.includes("made:1")) ?? {};
      if (id !== undefined && usedNs !== undefined) await images.collectImages([{ id, usedNs }], "disk budget");
    },
  };
  for (const [name, removal] of Object.entries(removals)) {
    let failures = 0;
    for (let nth = 1; ; nth++) {
      await loadBytes(images, archive);
      room.events.length = 0;
      faults.failAt(nth);
      const failure: unknown = await removal().then(
        () => undefined,
        (error: unknown) => error,
      );
      const hasFailed = faults.disarm();
      assert.equal(failure !== undefined, hasFailed, `${name} failing at ${nth}`);
      if (failure !== undefined) assertFull(failure, `${name} failing at ${nth}`);
      const isTold = room.events.some(({ action }) => action === "delete");
      assert.equal(await madeIn(room), isTold ? 1 : 2, `${name} failing at ${nth}`);
      if (!isTold) await removal();
      await images.collect(new Set(["c"]));
      assert.equal(await madeIn(room), 1, `after ${name} failing at ${nth}`);
      await assertSound(room, `${name} failing at ${nth}`);
      if (!hasFailed) break;
      failures++;
    }
    assert.ok(failures > 3, `${name} failed ${failures} times`);
  }
});

test("dropRoot: a root whose record a full disk kept holds its image no longer than until there is room", async () => {
  await using room = await roomOnTmpfs();
  using faults = databaseFaults();
  faults.failAll();
  await assert.rejects(room.images.dropRoot("c"), { kind: "exhausted" });
  await room.images.prune({ danglingOnly: true, filters: {} }).catch((error: unknown) => assertFull(error, "prune"));
  assert.ok(faults.disarm());
  await room.images.remove("base:1", { force: false, prune: true });
  assert.equal(await madeIn(room), 0);
  await room.images.collect(new Set());
  await assertSound(room, "after");
});

type Call = (...given: unknown[]) => unknown;

interface FaultPoints extends Disposable {
  /** The nth of the calls that write fails. */
  failAt(nth: number): void;
  /** Calls fail no more; answers whether one did. */
  disarm(): boolean;
}

/** Takes the place of all that writes in Node, in this process. */
async function faultPoints(): Promise<FaultPoints> {
  using undo = new DisposableStack();
  let left = 0;
  let hasFailed = false;
  const patch = (owner: object, name: string): void => {
    const methods = owner as Record<string, Call>;
    const own = methods[name];
    assert.ok(own !== undefined, name);
    methods[name] = function faulty(this: unknown, ...given: unknown[]): unknown {
      if (left > 0 && --left === 0) {
        hasFailed = true;
        const error = Object.assign(new Error(`ENOSPC: no space left on device, ${name}`), { code: "ENOSPC" });
        if (name.endsWith("Sync")) throw error;
        return Promise.reject(error);
      }
      return own.apply(this, given);
    };
    undo.defer(() => void (methods[name] = own));
  };
  const handle = await open(import.meta.filename);
  const prototype: object = Object.getPrototypeOf(handle);
  await handle.close();
  for (const name of ["writeFile", "appendFile", "datasync", "sync", "chmod"]) patch(prototype, name);
  for (const name of ["mkdir", "rename", "open"]) patch(fs.promises, name);
  for (const name of ["mkdirSync", "writeFileSync", "renameSync"]) patch(fs, name);
  syncBuiltinESMExports();
  undo.defer(syncBuiltinESMExports);
  const held = undo.move();
  return {
    failAt(nth) {
      left = nth;
      hasFailed = false;
    },
    disarm() {
      left = 0;
      return hasFailed;
    },
    [Symbol.dispose]: () => held.dispose(),
  };
}
