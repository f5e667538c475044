import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { digestOf, hexOf } from "#core/digest";
import { isFault } from "#core/fault";
import { openContentStore } from "./content-store.ts";

const folder = mkdtempSync(join(tmpdir(), "slipway-content-"));
after(() => rmSync(folder, { recursive: true }));
const ingestFolder = join(folder, "ingest");

test("put: names the bytes by their digest, readable by us alone", async () => {
  const store = openContentStore(folder);
  const { digest, sizeBytes } = await store.put(Buffer.from("hello"));
  assert.equal(digest, digestOf("hello"));
  assert.equal(sizeBytes, 5);
  assert.equal(statSync(store.pathOf(digest)).mode & 0o777, 0o400);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(Buffer.from(await store.read(digest)).toString(), "hello");
  assert.deepEqual(readdirSync(ingestFolder), []);
  assert.ok((await store.list()).includes(digest));
  assert.equal(await store.delete(digest), 5);
  assert.equal(await store.delete(digest), 0);
  assert.throws(
    () => store.pathOf(digest),
    (error) => isFault(error, "notFound"),
  );
});

test("put: a source that fails leaves nothing", async () => {
  const store = openContentStore(folder);
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from("half");
    throw new Error("cut");
  };
  await assert.rejects(store.put(failing()), /cut/);
  assert.deepEqual(readdirSync(ingestFolder), []);
});

test("ingest: goes on where another process stopped", async () => {
  const bytes = Buffer.alloc(300_000, "slipway");
  const digest = digestOf(bytes);
  {
    await using first = await openContentStore(folder).ingest(digest, bytes.length);
    await first.write(bytes.subarray(0, 100_000));
  }
  const store = openContentStore(folder);
  await using second = await store.ingest(digest, bytes.length);
  assert.equal(second.offsetBytes, 100_000);
  assert.equal(store.has(digest), false);
  await second.write(bytes.subarray(100_000));
  await second.commit();
  assert.deepEqual(Buffer.from(await store.read(digest)), bytes);
  const pieces: Uint8Array[] = [];
  for await (const piece of store.stream(digest, { fromByte: 3, toByte: 10 })) pieces.push(piece);
  assert.deepEqual(Buffer.concat(pieces), bytes.subarray(3, 10));
});

test("ingest: other bytes than announced are refused and not kept", async () => {
  const store = openContentStore(folder);
  const digest = digestOf("what was announced");
  await using ingest = await store.ingest(digest);
  await ingest.write(Buffer.from("what came"));
  await assert.rejects(ingest.commit(), /verification failed/);
  assert.equal(store.has(digest), false);
  assert.deepEqual(readdirSync(ingestFolder), []);
});

test("ingest: more bytes than announced are refused as they come", async () => {
  const store = openContentStore(folder);
  await using ingest = await store.ingest(digestOf("abc"), 3);
  await assert.rejects(ingest.write(Buffer.from("abcd")), /than the 3 expected/);
  await ingest.discard();
});

test("ingest: a second writer of the same blob waits and finds it whole", async () => {
  const store = openContentStore(folder);
  const digest = digestOf("once");
  const first = await store.ingest(digest, 4);
  const second = store.ingest(digest, 4);
  await first.write(Buffer.from("once"));
  await first.commit();
  await using waited = await second;
  assert.equal(waited.offsetBytes, 4);
  await waited.commit();
});

test("read: a blob larger than the limit is refused", async () => {
  const store = openContentStore(folder);
  const { digest } = await store.put(Buffer.alloc(2000));
  await assert.rejects(store.read(digest, 1999), (error) => isFault(error, "tooLarge"));
});

test("clean: removes unnamed leftovers, keeps young partial blobs", async () => {
  const store = openContentStore(folder);
  const digest = digestOf("partial blob");
  {
    await using ingest = await store.ingest(digest);
    await ingest.write(Buffer.from("part"));
  }
  const stray = join(ingestFolder, "put-stray");
  writeFileSync(stray, "stray");
  assert.equal(await store.clean(), 5);
  const partial = `sha256-${hexOf(digest)}`;
  assert.deepEqual(readdirSync(ingestFolder), [partial]);
  utimesSync(join(ingestFolder, partial), 1, 1);
  assert.equal(await store.clean(), 4);
});
