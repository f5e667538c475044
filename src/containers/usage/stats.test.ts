import assert from "node:assert/strict";
import { test } from "node:test";
import { noLimits } from "../config/blank-spec.ts";
import type { UsageSample } from "../containers.ts";
import { type Bed, openBed } from "../testing/bed.ts";

async function once(bed: Bed, id: string, oneShot = false): Promise<UsageSample> {
  for await (const sample of bed.containers.stats(id, { once: true, oneShot }, AbortSignal.timeout(20_000)))
    return sample;
  throw new Error("no sample");
}

test("stats: a container that works, one that sleeps, one that does not run; the limits", async () => {
  await using bed = await openBed();
  const limits = { ...noLimits, memoryBytes: 64 * 1024 * 1024, pids: 50 };
  const busy = await bed.create({ command: ["sh", "-c", "while :; do :; done"], limits, networkMode: "bridge" });
  const idle = await bed.create({ command: ["sleep", "1000"], networkMode: "host" });
  await bed.containers.start(busy);
  await bed.containers.start(idle);
  const [worked, slept] = await Promise.all([once(bed, busy), once(bed, idle)]);
  const cpuOf = ({ usage, before }: UsageSample): bigint => (usage?.cpu.totalNs ?? 0n) - (before?.cpu.totalNs ?? 0n);
  assert.ok(cpuOf(worked) > 20_000_000n, `${cpuOf(worked)} ns`);
  assert.ok(cpuOf(slept) < 20_000_000n, `${cpuOf(slept)} ns`);
  const { usage, before } = worked;
  assert.ok((usage?.cpu.machineNs ?? 0n) > (before?.cpu.machineNs ?? 0n));
  assert.equal(usage?.cpu.onlineCpus, bed.host.machine.cpus);
  assert.equal(usage?.memory.limitBytes, 64 * 1024 * 1024);
  assert.deepEqual(usage?.pids, { current: 1, limit: 50 });
  assert.equal(slept.usage?.memory.limitBytes, bed.host.machine.memoryBytes);
  // Its own interface; in the host's network none.
  assert.deepEqual(Object.keys(usage?.networks ?? {}), ["eth0"]);
  assert.equal(slept.usage?.networks, undefined);
  const shot = await once(bed, busy, true);
  assert.equal(shot.before, undefined);
  assert.notEqual(shot.usage, undefined);
  await bed.containers.stop(busy, { timeoutSeconds: 0 });
  const { name } = bed.containers.find(busy);
  assert.deepEqual(await once(bed, busy), { id: busy, name });
  assert.throws(
    () => bed.containers.stats("nobody", { once: true, oneShot: false }, AbortSignal.timeout(1000)),
    /No such container: nobody/,
  );
});

test("stats: a stream goes on over stop and start, and ends with the container", async () => {
  await using bed = await openBed();
  const id = await bed.create({ command: ["sh", "-c", "dd if=/dev/zero of=/tmp/file bs=1M count=4; exec sleep 1000"] });
  await bed.containers.start(id);
  const samples = bed.containers.stats(id, { once: false, oneShot: false }, AbortSignal.timeout(30_000));
  const stream = samples[Symbol.asyncIterator]();
  const until = async (wanted: (sample: UsageSample) => boolean): Promise<UsageSample> => {
    for (let next = await stream.next(); next.done !== true; next = await stream.next())
      if (wanted(next.value)) return next.value;
    throw new Error("the stream ended");
  };
  await until(({ usage, before }) => usage !== undefined && before !== undefined);
  await bed.containers.stop(id, { timeoutSeconds: 0 });
  await until(({ usage }) => usage === undefined);
  await bed.containers.start(id);
  const again = await until(({ usage }) => usage !== undefined);
  assert.equal(again.before, undefined); // it counts from nothing again
  await bed.containers.remove(id, { force: true, volumes: false });
  await assert.rejects(
    until(() => false),
    /the stream ended/,
  );
});
