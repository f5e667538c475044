import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isFault } from "#core/fault";
import type { LogOptions } from "../containers.ts";
import { type Bed, openBed } from "../testing/bed.ts";

let bed: Bed;
before(async () => {
  bed = await openBed();
});
after(async () => await bed[Symbol.asyncDispose]());

const all: LogOptions = { streams: ["stdout", "stderr"], follow: false };

async function read(id: string, options: LogOptions, signal = AbortSignal.timeout(10_000)): Promise<string[]> {
  const texts: string[] = [];
  for await (const line of bed.containers.logs(id, options, signal)) {
    texts.push(`${line.stream}:${Buffer.from(line.bytes).toString()}`);
  }
  return texts;
}

test("logs: lines of both streams, an unfinished one at the end", async () => {
  const { id } = await bed.run({ command: ["sh", "-c", "printf 'a\\nb'; sleep 0.1; printf 'c\\nd'; echo e >&2"] });
  assert.deepEqual(await read(id, { ...all, streams: ["stdout"] }), ["stdout:a\n", "stdout:bc\n", "stdout:d"]);
  assert.deepEqual(await read(id, { ...all, streams: ["stderr"] }), ["stderr:e\n"]);
});

test("logs: tail, since and until", async () => {
  const { id } = await bed.run({ command: ["sh", "-c", "echo 1; sleep 0.1; echo 2; sleep 0.1; echo 3"] });
  assert.deepEqual(await read(id, { ...all, tail: 2 }), ["stdout:2\n", "stdout:3\n"]);
  assert.deepEqual(await read(id, { ...all, tail: 0 }), []);
  assert.deepEqual(await read(id, { ...all, tail: 99 }), ["stdout:1\n", "stdout:2\n", "stdout:3\n"]);
  const times: bigint[] = [];
  for await (const line of bed.containers.logs(id, all, AbortSignal.timeout(5000))) times.push(line.timeNs);
  const [first = 0n, second = 0n] = times;
  assert.deepEqual(await read(id, { ...all, sinceNs: second }), ["stdout:2\n", "stdout:3\n"]);
  assert.deepEqual(await read(id, { ...all, untilNs: first }), ["stdout:1\n"]);
  assert.deepEqual(await read(id, { ...all, sinceNs: bed.host.clock.now() }), []);
});

test("logs: following gives what is there and what comes, without loss or repetition, to the end", async () => {
  const id = await bed.create({ command: ["sh", "-c", "seq 1 500; sleep 0.2; seq 501 1000"] });
  await bed.containers.start(id);
  const [early, late] = [read(id, { ...all, follow: true }), read(id, { ...all, follow: true, tail: 1 })];
  const expected = Array.from({ length: 1000 }, (_item, index) => `stdout:${index + 1}\n`);
  assert.deepEqual(await early, expected);
  assert.equal((await late).at(-1), "stdout:1000\n");
  assert.deepEqual(await read(id, { ...all, follow: true }), expected); // one that ended is not waited for
});

test("logs: following ends with the signal and at `until`", async () => {
  const id = await bed.create({ command: ["sh", "-c", "while :; do echo x; sleep 0.02; done"] });
  await bed.containers.start(id);
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 150);
  assert.ok((await read(id, { ...all, follow: true }, stop.signal)).length > 1);
  const untilNs = bed.host.clock.now() + 100_000_000n;
  assert.ok((await read(id, { ...all, follow: true, untilNs })).length > 1);
  await bed.containers.remove(id, { force: true, volumes: false });
});

test("logs: a restarted container's log goes on", async () => {
  const { id } = await bed.run({ command: ["echo", "again"] });
  await bed.containers.start(id);
  await (
    await bed.containers.wait(id, "not-running", AbortSignal.timeout(5000))
  ).result;
  assert.deepEqual(await read(id, all), ["stdout:again\n", "stdout:again\n"]);
});

test("logs: a line longer than 16 KiB comes in parts", async () => {
  const { id } = await bed.run({ command: ["sh", "-c", "head -c 40000 /dev/zero; echo"] });
  const sizes = (await read(id, all)).map((line) => line.length - "stdout:".length);
  assert.deepEqual(sizes, [16_384, 16_384, 7233]);
});

test("logs: refused without a stream, without a log, without a container", async () => {
  const id = await bed.create({ command: ["true"], logging: { driver: "none", options: {} } });
  const { containers } = bed;
  const signal = AbortSignal.timeout(5000);
  assert.throws(
    () => containers.logs(id, all, signal),
    (error) => isFault(error, "unsupported") && error.message === "configured logging driver does not support reading",
  );
  assert.throws(
    () => containers.logs("nobody", all, signal),
    (error) => isFault(error, "notFound"),
  );
  const other = await bed.create({ command: ["true"] });
  assert.throws(
    () => containers.logs(other, { ...all, streams: [] }, signal),
    (error) => isFault(error, "invalid"),
  );
  assert.deepEqual(await read(other, { ...all, follow: true }), []);
});
