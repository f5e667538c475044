import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as fc from "fast-check";
import { inNetwork } from "./names-asking.ts";
import { answerTo, type Asker, FakeResolver, type Query, record, startAsker } from "./names-bed.ts";
import { openTestBed, readAll, type TestBed } from "./test-bed.ts";

let bed: TestBed;
let resolvers = 0;
before(async () => {
  bed = await openTestBed();
});
after(async () => bed[Symbol.asyncDispose]());

const nextPath = (): string => join(bed.dir, `resolver-${resolvers++}.sock`);
const [byUdp, byTcp] = ["?u", "?t"].map((text) => Buffer.from(answerTo(Buffer.from(text))).toString("latin1"));

/** One question by each transport. */
const ask = async ({ pid }: Asker, limitMs = 2000): Promise<unknown> =>
  await inNetwork(
    pid,
    async (asking, limit) => [(await asking.udp(["?u"], limit))[0], (await asking.tcp(["?t"], limit))[0]],
    limitMs,
  );

/** Processor time of a process in clock ticks. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

test("names: a resolver that is not there, comes, goes and comes again", async () => {
  const names = nextPath();
  await using asker = await startAsker(bed, { names });
  assert.deepEqual(await ask(asker, 200), [null, null]);
  for (let life = 0; life < 3; life++) {
    await using resolver = await FakeResolver.listen(names);
    assert.deepEqual(await ask(asker), [byUdp, byTcp]);
    assert.equal(resolver.hellos.length, 1);
  }
  assert.deepEqual(await ask(asker, 200), [null, null]);
  assert.equal((await asker.monitor.status()).state, "running");
});

test("names: who waits by TCP when the resolver breaks off is told at once", async () => {
  const names = nextPath();
  await using resolver = await FakeResolver.listen(names);
  resolver.answer = (_query, stream) => void stream.destroy();
  await using asker = await startAsker(bed, { names });
  const begun = performance.now();
  const answer = await inNetwork(asker.pid, async (asking) => await asking.tcp(["?t"], 9_000));
  assert.deepEqual(answer, [null]);
  assert.ok(performance.now() - begun < 5_000);
});

test("names: a resolver that does not read holds nothing up; when it reads again it is asked again", async () => {
  const names = nextPath();
  await using resolver = await FakeResolver.listen(names);
  let stalled: { pause(): unknown; resume(): unknown } | undefined;
  resolver.answer = (_query, stream) => void (stalled ??= stream.pause());
  const args = ["sh", "-c", "while ! [ -e /tmp/stop ]; do echo line; sleep 0.01; done; exit 7"];
  await using asker = await startAsker(bed, { names, args });
  const flood = inNetwork(asker.pid, async (asking) => {
    const text = "?".repeat(4_000);
    const udp = Array.from(
      { length: 8 },
      async () =>
        await asking.udp(
          Array.from({ length: 100 }, () => text),
          10,
        ),
    );
    const tcp = Array.from({ length: 8 }, async () => await asking.tcp([text.repeat(16)], 1_000));
    return (await Promise.all([...udp, ...tcp])).flat().filter((answer) => answer !== undefined).length;
  });
  assert.equal(await flood, 0);
  assert.ok(stalled !== undefined);
  const output = readAll(asker.attachment);
  const before = ticksOf(asker.monitorPid);
  await sleep(1_000);
  assert.ok(ticksOf(asker.monitorPid) - before < 20, "a full stream makes no work");
  resolver.answer = ({ message }: Query) => answerTo(message);
  stalled.resume();
  await sleep(200);
  assert.deepEqual(await ask(asker), [byUdp, byTcp]);
  resolver.answer = (_query, stream) => void stream.pause();
  await ask(asker, 100);
  const execution = await bed.execOf(asker.start, ["touch", "/tmp/stop"]);
  await (
    await asker.monitor.exec(execution)
  ).ended;
  assert.equal((await asker.monitor.exited).code, 7);
  assert.match((await output).stdout, /^(line\n){50,}$/);
});

test("names: what is no record ends the stream; tokens of nobody, and answers too many or too long, are ignored", async () => {
  const names = nextPath();
  await using resolver = await FakeResolver.listen(names);
  await using asker = await startAsker(bed, { names });
  const twice = ({ transport, token, message }: Query): Uint8Array => {
    const stranger = [0, 1].flatMap((kind) =>
      [1, 255, 256, 2 ** 32 - 1].map((add) => record(kind, (token + add) >>> 0, message)),
    );
    const other = record(1 - transport, token, message);
    const tooLong = record(0, token, Buffer.alloc(5_000));
    const right = record(transport, token, answerTo(message));
    return Buffer.concat([...stranger, other, tooLong, right, right, right]);
  };
  resolver.answer = (query, stream) => void stream.write(twice(query));
  assert.deepEqual(await ask(asker), [byUdp, byTcp]);
  assert.equal(resolver.hellos.length, 1);
  const noRecords = [
    record(0, 1, Buffer.alloc(0)),
    Buffer.from([0, 1, 2, 0, 0, 0, 0, 0, 1]),
    Buffer.from([0, 1, 0, 1, 0, 0, 0, 0, 1]),
  ];
  for (const [i, bytes] of noRecords.entries()) {
    const [stream] = resolver.streams;
    assert.ok(stream !== undefined);
    stream.write(bytes);
    await once(stream, "close", { signal: AbortSignal.timeout(5_000) });
    assert.deepEqual(await ask(asker), [byUdp, byTcp]);
    assert.equal(resolver.hellos.length, 2 + i);
  }
});

test("names: random bytes and random records from the resolver never bring the monitor down", async () => {
  const names = nextPath();
  await using resolver = await FakeResolver.listen(names);
  await using asker = await startAsker(bed, { names });
  const framed = fc
    .tuple(fc.nat(3), fc.oneof(fc.nat(600), fc.nat(2 ** 32 - 1)), fc.uint8Array({ maxLength: 300 }))
    .map(([transport, token, message]) => Buffer.from(record(transport, token, message)));
  const hostile = fc.array(fc.oneof(framed, fc.uint8Array({ maxLength: 100 })), { maxLength: 20 });
  let bytes: Uint8Array = new Uint8Array();
  resolver.answer = (_query, stream) => void stream.write(bytes);
  const samples = fc.sample(hostile, { numRuns: 300, seed: 53 });
  const asking = inNetwork(asker.pid, async (asks) => {
    for (let i = 0; i < 150; i++) await Promise.all([asks.udp(["?u"], 10), asks.tcp(["?t"], 10)]);
  });
  for (const sample of samples) {
    bytes = Buffer.concat(sample);
    for (const stream of resolver.streams) stream.write(bytes);
    await sleep(5);
  }
  await asking;
  resolver.answer = ({ message }) => answerTo(message);
  for (const stream of resolver.streams) stream.destroy();
  await sleep(50);
  assert.deepEqual(await ask(asker), [byUdp, byTcp]);
  assert.ok(resolver.hellos.length > 10, "it was thrown out, and connected again, many times");
});

test("names: of more than 16 connections by TCP the oldest idle one gives way; those who wait keep their place", async () => {
  const names = nextPath();
  await using resolver = await FakeResolver.listen(names);
  await using asker = await startAsker(bed, { names });
  const idle = await inNetwork(asker.pid, async (asking) => {
    const sockets = [];
    for (let i = 0; i < 17; i++) {
      sockets.push(await asking.connect());
      await new Promise((done) => setTimeout(done, 10));
    }
    return await Promise.all(sockets.map(async (socket) => (await asking.askByTcp(socket, "?t")) ?? null));
  });
  assert.deepEqual(idle, [null, ...Array.from({ length: 16 }, () => byTcp)]);
  const held: (() => void)[] = [];
  resolver.answer = ({ transport, token, message }, stream) =>
    void held.push(() => stream.write(record(transport, token, answerTo(message))));
  const waiting = inNetwork(asker.pid, async (asking) => {
    const askers = Array.from({ length: 16 }, async () => (await asking.tcp(["?t"], 8_000))[0]);
    await new Promise((done) => setTimeout(done, 500));
    const late = (await asking.tcp(["?t"], 8_000))[0];
    return { late: late ?? null, answers: await Promise.all(askers) };
  });
  await sleep(1_500);
  assert.equal(held.length, 16);
  for (const answer of held) answer();
  assert.deepEqual(await waiting, { late: null, answers: Array.from({ length: 16 }, () => byTcp) });
});

test("names: a client that says nothing, or half, for ten seconds is dropped, costs no work, and disturbs nobody", async () => {
  const names = nextPath();
  await using _resolver = await FakeResolver.listen(names);
  await using asker = await startAsker(bed, { names });
  const before = ticksOf(asker.monitorPid);
  const result = await inNetwork(asker.pid, async (asking) => {
    const begun = performance.now();
    const pieces = [Buffer.alloc(0), Buffer.from([0]), Buffer.from([0, 9, 1]), Buffer.alloc(60_002, 255)];
    const lives = pieces.map(async (bytes) => {
      const socket = await asking.connect();
      if (bytes.length > 0) socket.write(bytes);
      socket.resume();
      await new Promise((done) => socket.once("close", done));
      return Math.round((performance.now() - begun) / 1000);
    });
    const meanwhile = await asking.tcp(["?t"]);
    return { meanwhile, lives: await Promise.all(lives) };
  });
  assert.deepEqual(result.meanwhile, [byTcp]);
  for (const seconds of result.lives) assert.ok(seconds >= 10 && seconds <= 13, `${seconds} s`);
  assert.ok(ticksOf(asker.monitorPid) - before < 50);
});
