import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOf } from "#core/digest";
import { bytesOf, dockerArchive, loadBytes, openTestRoom, tarOf, upperOf } from "./images.fixture.ts";

const none = new Set<string>();
const signal = new AbortController().signal;

test("collect: removes what a kill left and nothing else", async () => {
  await using room = await openTestRoom();
  await loadBytes(
    room.images,
    await dockerArchive([{ tags: ["a:1"], layers: [await tarOf([{ path: "f", data: "f" }])] }]),
  );
  const { id } = room.images.find("a:1");
  await room.images.createRoot(id, "lives");
  await room.images.createRoot(id, "lost");
  writeFileSync(join(upperOf(room.images.openRoot("lost")), "written"), "x");
  mkdirSync(join(room.folder, "layers/.draft-0123/fs/deep"), { recursive: true });
  mkdirSync(join(room.folder, "layers/abcdef012345/deep"), { recursive: true });
  mkdirSync(join(room.folder, "roots/.gone-other/upper"), { recursive: true });
  writeFileSync(join(room.folder, "content/ingest/put-0123"), "12345");
  const stray = "stray blob";
  writeFileSync(join(room.folder, "content/blobs/sha256", digestOf(stray).slice(7)), stray);
  const reopened = await room.reopen();
  assert.equal((await reopened.collect(new Set(["lives"]))).reclaimedBytes, stray.length + 5);
  assert.deepEqual(readdirSync(join(room.folder, "roots")), ["lives"]);
  assert.equal(
    readdirSync(join(room.folder, "layers")).filter((name) => ![".mount", ".empty", ".mount-points"].includes(name))
      .length,
    1,
  );
  assert.equal(readdirSync(join(room.folder, "content/blobs/sha256")).length, 3);
  assert.deepEqual(readdirSync(join(room.folder, "content/ingest")), []);
  assert.equal(reopened.find("a:1").id, id);
  assert.deepEqual(reopened.holdersOf(id), ["lives"]);
});

test("collect: never takes what a load or save in progress needs", async () => {
  await using room = await openTestRoom();
  const layers = await Promise.all(
    [0, 1, 2, 3, 4, 5].map(async (index) => await tarOf([{ path: `f${index}`, data: Buffer.alloc(400_000, index) }])),
  );
  const archive = await dockerArchive([{ tags: ["a:1"], layers }]);
  const loading = loadBytes(room.images, archive);
  const loaded = new AbortController();
  const collecting = (async () => {
    while (!loaded.signal.aborted) {
      await room.images.collect(none);
      await sleep(1);
    }
  })();
  await loading;
  loaded.abort();
  await collecting;
  assert.equal(room.images.find("a:1").sizeBytes, 2_400_000);
  const save = room.images.save(["a:1"], signal)[Symbol.asyncIterator]();
  const first = await save.next();
  assert.equal(first.done, false);
  await room.images.remove("a:1", { force: true, prune: true });
  await room.images.collect(none);
  const rest = await bytesOf({ [Symbol.asyncIterator]: () => save });
  assert.ok(rest.length > 2_400_000);
  assert.deepEqual(readdirSync(join(room.folder, "content/blobs/sha256")), []);
});

test("load: killed at any moment, it is absent or whole, and the next collection leaves no trace", async () => {
  await using room = await openTestRoom();
  const layers = await Promise.all(
    [0, 1, 2].map(
      async (index) =>
        await tarOf(Array.from({ length: 300 }, (_, n) => ({ path: `d${index}/f${n}`, data: "x".repeat(2000) }))),
    ),
  );
  const path = join(room.folder, "a.tar");
  writeFileSync(path, await dockerArchive([{ tags: ["a:1"], layers }]));
  const script = `
    import { createReadStream } from "node:fs";
    import { openTestRoom } from ${JSON.stringify(join(import.meta.dirname, "images.fixture.ts"))};
    const room = await openTestRoom({ folder: process.argv[1] });
    process.stdout.write("ready");
    for await (const _ of room.images.load(createReadStream(${JSON.stringify(path)}), { quiet: true }, new AbortController().signal));
    process.stdout.write("done");
    await new Promise(() => setInterval(() => {}, 1000));`;
  for (const [round, delayMs] of [5, 20, 40, 70, 110, 160, 600].entries()) {
    const folder = join(room.folder, `round-${round}`);
    mkdirSync(folder);
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, folder], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    await sleep(delayMs);
    child.kill("SIGKILL");
    await once(child, "exit");
    await using again = await openTestRoom({ folder });
    await again.images.collect(none);
    const [image] = again.images.list({ all: true, filters: {} });
    const count = (place: string): number =>
      readdirSync(join(folder, place)).filter((name) => !name.startsWith(".") || name.startsWith(".draft")).length;
    assert.deepEqual(
      [count("layers"), count("content/blobs/sha256"), count("content/ingest")],
      image === undefined ? [0, 0, 0] : [3, 5, 0],
      `killed after ${delayMs} ms`,
    );
    if (image === undefined) continue;
    await again.images.createRoot(image.id, "c");
    assert.equal(await again.inRoot("c", "cat */* | wc -c"), `${900 * 2000}\n`);
  }
});

test("embedded: the built-in image is hidden until asked for, and comes back after rmi", async () => {
  await using maker = await openTestRoom();
  const layer = await tarOf([{ path: "hello", data: "hello" }]);
  const archive = join(maker.folder, "hello.tar");
  writeFileSync(archive, await dockerArchive([{ tags: ["hello:latest"], layers: [layer] }]));
  await using room = await openTestRoom({ embeddedArchive: archive });
  assert.deepEqual(room.images.list({ all: true, filters: {} }), []);
  assert.equal(room.images.count(), 0);
  assert.throws(() => room.images.find("hello:other"), /No such image/);
  const { id } = room.images.find("hello");
  assert.deepEqual(
    room.images.list({ all: true, filters: {} }).map((image) => image.repoTags),
    [["hello:latest"]],
  );
  assert.deepEqual(await room.images.remove("hello", { force: false, prune: true }), [{ untagged: "hello:latest" }]);
  assert.deepEqual(room.images.list({ all: true, filters: {} }), []);
  await room.images.prune({ danglingOnly: false, filters: {} });
  const reopened = await room.reopen();
  await reopened.collect(none);
  assert.equal(reopened.find("docker.io/library/hello:latest").id, id);
  // Another version of the program brings another one.
  writeFileSync(archive, await dockerArchive([{ tags: ["hello:latest"], layers: [layer], config: { User: "1" } }]));
  const newer = await room.reopen();
  assert.notEqual(newer.find("hello").id, id);
  await newer.collect(none);
  assert.throws(() => newer.find(id), /No such image/);
  // Somebody's own goes first.
  await loadBytes(
    newer,
    await dockerArchive([{ tags: ["hello:latest"], layers: [await tarOf([{ path: "mine", data: "mine" }])] }]),
  );
  assert.equal(newer.find("hello").sizeBytes, 4);
});

test("dropRoot: a tree deeper than any path can name goes too", async () => {
  await using room = await openTestRoom();
  await loadBytes(
    room.images,
    await dockerArchive([{ tags: ["a:1"], layers: [await tarOf([{ path: "f", data: "f" }])] }]),
  );
  await room.images.createRoot(room.images.find("a:1").id, "c");
  const upper = upperOf(room.images.openRoot("c"));
  execFileSync("python3", [
    "-c",
    "import os,sys\nos.chdir(sys.argv[1])\nfor _ in range(1500):\n  os.mkdir('deep'); os.chdir('deep')",
    upper,
  ]);
  await room.images.dropRoot("c");
  assert.deepEqual(readdirSync(join(room.folder, "roots")), []);
});
