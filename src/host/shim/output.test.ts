import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { appendFile, mkdir, readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { endOfLog, readLog } from "./log.ts";
import { openTestBed, readAll, type Started, type TestBed } from "./test-bed.ts";

let bed: TestBed;
before(async () => {
  bed = await openTestBed();
});
after(async () => bed[Symbol.asyncDispose]());

test("log: keeps what was written, and a restarted container appends after a torn tail was cut", async () => {
  const first = await bed.start(["sh", "-c", "echo one; echo two >&2"]);
  await first.monitor.gone;
  const { dir } = first.start.log;
  await appendFile(join(dir, "00000001.log"), Buffer.from([0, 0, 0, 200, 1, 2, 3]));
  const second = await bed.start(["printf", "three"], { log: first.start.log });
  await second.monitor.gone;
  const records = await Array.fromAsync(readLog(dir));
  const seen = records.map((record) => `${record.stream}:${record.partial}:${Buffer.from(record.bytes).toString()}`);
  assert.deepEqual(seen.slice(0, 2).toSorted(), ["stderr:false:two\n", "stdout:false:one\n"]);
  assert.equal(seen[2], "stdout:true:three");
  assert.equal((await endOfLog(dir))?.offset, (await stat(join(dir, "00000001.log"))).size);
});

test("log: rotates by size and keeps the newest segments", async () => {
  const log = { dir: join(bed.dir, "rotating"), maxSizeBytes: 100_000, maxFiles: 3, inMemory: false };
  const { monitor, attachment } = await bed.start(["seq", "1", "200000"], { log });
  const { stdout, gap } = await readAll(attachment);
  assert.equal(gap, false);
  assert.equal(stdout.length, 1_288_895);
  await monitor.gone;
  const files = (await readdir(log.dir)).toSorted();
  assert.equal(files.length, 3);
  const kept = (await Array.fromAsync(readLog(log.dir))).map((record) => Buffer.from(record.bytes).toString()).join("");
  assert.ok(kept.endsWith("199999\n200000\n"));
  assert.ok(stdout.endsWith(kept));
});

test("attach: a reader that stalls without throttle gets a gap; the container and the log go on", async () => {
  const log = { dir: join(bed.dir, "gap"), maxSizeBytes: 100_000, maxFiles: 2, inMemory: false };
  const { monitor, attachment } = await bed.start(["seq", "1", "300000"], { log, attach: { throttle: false } });
  assert.equal((await monitor.exited).code, 0);
  const { stdout, gap } = await readAll(attachment);
  assert.equal(gap, true);
  assert.ok(stdout.startsWith("1\n2\n3\n"));
  assert.ok(stdout.length < 1_500_000);
});

test("attach: a slow reader with throttle gets every byte, also when the log is in memory only", async () => {
  const log = { dir: "", maxSizeBytes: 0, maxFiles: 0, inMemory: true };
  const { attachment, slot } = await bed.start(["seq", "1", "500000"], { log });
  let bytes = 0;
  let turns = 0;
  for await (const item of attachment.output) {
    assert.equal(item.kind, "output");
    if (item.kind === "output") bytes += item.chunk.bytes.length;
    if (turns++ % 10 === 0) await sleep(2);
    if (turns === 20) assert.ok(privateKb(slot.pid) < 2_500);
  }
  assert.equal(bytes, 3_388_895);
});

test("attach: a stalled reader costs no memory, and 100 MB pass it by", async () => {
  const { monitor, slot, attachment } = await bed.start(["sh", "-c", "yes 0123456789 | head -c 100000000; sleep 1"]);
  await sleep(100);
  const running = { value: true };
  monitor.exited.finally(() => (running.value = false)).catch(() => undefined);
  const begun = performance.now();
  for (; running.value && performance.now() - begun < 15_000; await sleep(50)) {
    if (process.env["SLIPWAY_SHIM_KIND"] === undefined)
      assert.ok(privateKb(slot.pid) < 512, `${privateKb(slot.pid)} kB`);
  }
  assert.equal(running.value, false);
  await attachment[Symbol.asyncDispose]();
  assert.equal((await monitor.exited).code, 0);
});

test("log: on a full disk the container goes on, attached clients see all, and the gap is noted", async () => {
  const folder = join(bed.dir, "full");
  await mkdir(folder);
  const log = { dir: join(folder, "log"), maxSizeBytes: 20 << 20, maxFiles: 5, inMemory: false };
  const disk = { op: "mount", type: "tmpfs", source: "tmpfs", target: folder, flags: [], data: "size=1m" } as const;
  const script = "head -c 3000000 /dev/zero; read x; echo after-$x; read y";
  const { monitor, attachment, slot } = await bed.start(["sh", "-c", script], { log, stdinOpen: true, mounts: [disk] });
  const items = attachment.output[Symbol.asyncIterator]();
  let bytes = 0;
  while (bytes < 3_000_000) {
    const { value } = await items.next();
    if (value?.kind === "output") bytes += value.chunk.bytes.length;
  }
  assert.equal(bytes, 3_000_000);
  const seen = `/proc/${slot.pid}/root${log.dir}`; // the full disk is in the monitor's mount namespace
  await truncate(join(seen, "00000001.log"), 0);
  await sleep(1_100);
  await attachment.write(Buffer.from("word\n"));
  const { value } = await items.next();
  assert.equal(value?.kind === "output" && Buffer.from(value.chunk.bytes).toString(), "after-word\n");
  const records = await Array.fromAsync(readLog(seen));
  assert.ok(records.some((record) => (record.lostBytes ?? 0) > 1_000_000));
  assert.equal(Buffer.from(records.at(-1)?.bytes ?? []).toString(), "after-word\n");
  await attachment.write(Buffer.from("\n"));
  assert.equal((await monitor.exited).code, 0);
});

test("log: a gigabyte's pace is the disk's, not ours", async () => {
  const { monitor, attachment, start }: Started = await bed.start(["sh", "-c", "head -c 200000000 /dev/zero"]);
  await attachment[Symbol.asyncDispose]();
  const begun = performance.now();
  assert.equal((await monitor.exited).code, 0);
  const seconds = (performance.now() - begun) / 1000;
  console.log(`200 MB into the log: ${seconds.toFixed(2)} s`);
  assert.ok(seconds < 10);
  assert.ok((await endOfLog(start.log.dir)) !== undefined);
});

function privateKb(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return [...rollup.matchAll(/^Private_\w+:\s+(\d+) kB/gm)].reduce((sum, match) => sum + Number(match[1]), 0);
}
