import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isFault } from "#core/fault";
import { noLimits } from "../config/blank-spec.ts";
import { openStepBed, plainStep } from "../testing/step-bed.ts";

test("runStep: output, exit codes, environment, user and folder are as for run; a step is nowhere seen and leaves nothing", async () => {
  await using bed = await openStepBed();
  const seen: number[] = [];
  const ran = await bed.step('echo out; echo err >&2; id -u; echo "$A $HOSTNAME $HOME"; pwd; exit 3', {
    env: ["PATH=/bin", "A=a b"],
    user: "ana",
    workingDir: "/tmp",
    onOutput: () => void seen.push(bed.containers.list({ all: true, filters: {} }).length),
  });
  assert.equal(ran.exitCode, 3);
  assert.ok(seen.length > 0 && seen.every((count) => count === 0));
  const told = await bed.step('echo out; echo err >&2; id -u; echo "$A $HOSTNAME $HOME"; pwd; cat /etc/hostname', {
    env: ["PATH=/bin", "A=a b"],
    user: "ana",
    workingDir: "/tmp",
    extraHosts: ["other:10.9.8.7"],
  });
  assert.equal(told.stdout, "out\n1000\na b buildkitsandbox /home/ana\n/tmp\nbuildkitsandbox\n");
  assert.equal(told.stderr, "err\n");
  assert.equal(told.oomKilled, false);
  assert.equal((await bed.step("sh -c 'kill -9 $$'; exit $?")).exitCode, 137);
  assert.match((await bed.step("cat /etc/hosts", { extraHosts: ["other:10.9.8.7"] })).stdout, /10\.9\.8\.7\s+other/);
  assert.deepEqual(await bed.leftovers(), []);
  assert.deepEqual(
    bed.events.filter(({ type }) => type !== "daemon").map(({ type, action }) => `${type} ${action}`),
    [],
  );
});

test("runStep: an unknown user, a missing program and one that is none are told in Docker's words", async () => {
  await using bed = await openStepBed();
  const user = await bed.step("true", { user: "nobody-here" });
  assert.deepEqual(
    [user.exitCode, user.stderr],
    [125, "unable to find user nobody-here: no matching entries in passwd file\n"],
  );
  const missing = await bed.step("", { args: ["nope"] });
  assert.equal(missing.exitCode, 127);
  assert.match(missing.stderr, /exec: "nope": executable file not found in \$PATH/);
  const plain = await bed.step("", { args: ["/etc/plain"] });
  assert.equal(plain.exitCode, 126);
  assert.match(plain.stderr, /exec: "\/etc\/plain": permission denied/);
  assert.deepEqual(await bed.leftovers(), []);
});

test("runStep: what it wrote becomes a layer that the next step stands on; nothing written is none; no mount point is in it", async () => {
  await using bed = await openStepBed();
  const nothing = await bed.step("true", { seal: {} });
  assert.equal(nothing.sealed, undefined);
  const first = await bed.step("echo one >/one; rm /etc/plain", { seal: {} });
  assert.ok(first.sealed);
  const second = await bed.step("cat /one; ls /etc/plain; echo two >/two", { below: first.sealed.stack, seal: {} });
  assert.equal(second.stdout, "one\n");
  const secret = { kind: "secret", bytes: Buffer.from("s3cret"), mode: 0o400, uid: 0, gid: 0 } as const;
  const mounts = [
    { ...secret, target: "/run/secrets/key" },
    { kind: "tmpfs", target: "/var/cache/x", sizeBytes: 1 << 20 },
    { kind: "stack", stack: first.sealed.stack, subpath: "one", target: "/from/one", writable: false },
    { kind: "stack", stack: first.sealed.stack, subpath: "/etc", target: "/scratch", writable: true },
  ] as const;
  const third = await bed.step(
    "cat /run/secrets/key /from/one; touch /var/cache/x/y; rm /scratch/passwd; ls /scratch",
    { mounts, seal: {} },
  );
  assert.equal(third.exitCode, 0, third.stderr);
  assert.equal(third.stdout, "s3cretone\ngroup\n");
  assert.equal(third.sealed, undefined);
  const refused = await bed.step("echo x >/from/one", { mounts });
  assert.match(refused.stderr, /Read-only file system/);
  assert.deepEqual(await bed.leftovers(), []);
});

test("runStep: a cache folder of the machine is shared, and a network is there", async () => {
  await using bed = await openStepBed();
  const source = `${bed.dir}/cache`;
  const { mkdirSync, readFileSync } = await import("node:fs");
  mkdirSync(source);
  const mounts = [{ kind: "host", source, target: "/root/.cache", readOnly: false }] as const;
  const ran = await bed.step("echo kept >/root/.cache/x; cat /proc/net/dev | grep -c eth0; cat /etc/resolv.conf", {
    mounts,
    networkMode: "default",
    seal: {},
  });
  assert.equal(ran.exitCode, 0, ran.stderr);
  assert.match(ran.stdout, /^1\n/);
  assert.equal(readFileSync(`${source}/x`, "utf8"), "kept\n");
  assert.equal(ran.sealed, undefined);
  assert.deepEqual(await bed.leftovers(), []);
});

test("runStep: output waits for who takes it, and all of it comes", async () => {
  await using bed = await openStepBed();
  let bytes = 0;
  let pieces = 0;
  const { exitCode } = await bed.step("dd if=/dev/zero bs=1M count=30 2>/dev/null || seq 1 4000000", {
    args: ["sh", "-c", "seq 1 3000000"],
    onOutput: async (_stream, piece) => {
      bytes += piece.length;
      if (++pieces % 20 === 0) await sleep(20);
    },
  });
  assert.equal(exitCode, 0);
  let expected = 0;
  for (let digits = 1, from = 1; from <= 3_000_000; digits++, from *= 10)
    expected += (Math.min(from * 10 - 1, 3_000_000) - from + 1) * (digits + 1);
  assert.equal(bytes, expected);
});

test("runStep: an abort kills all that ignores signals or forks within a second, and nothing is left", async () => {
  await using bed = await openStepBed();
  const abort = new AbortController();
  const started = Promise.withResolvers<void>();
  const ran = bed.step(
    "",
    {
      args: [
        "sh",
        "-c",
        "trap '' TERM INT HUP; (while true; do sleep 1000 & sleep 0.05; done) & echo on; while true; do sleep 1; done",
      ],
      networkMode: "default",
      onOutput: () => started.resolve(),
    },
    abort.signal,
  );
  await started.promise;
  const from = performance.now();
  abort.abort();
  await assert.rejects(ran, (error) => isFault(error, "cancelled"));
  assert.ok(performance.now() - from < 1000, `${performance.now() - from} ms`);
  assert.deepEqual(await bed.leftovers(), []);
});

test("runStep: running out of memory is told", async () => {
  await using bed = await openStepBed();
  const limits = { ...noLimits, memoryBytes: 16 << 20, memorySwapBytes: 16 << 20 };
  const ran = await bed.step("tail /dev/zero", { limits });
  assert.equal(ran.exitCode, 137);
  assert.equal(ran.oomKilled, true);
  assert.deepEqual(await bed.leftovers(), []);
});

test("runStep: it runs beside others, each in a place of its own", async () => {
  await using bed = await openStepBed();
  const ends = await Promise.all(
    Array.from({ length: 6 }, async (_, index) => await bed.step(`echo ${index} >/x; cat /x`, { seal: {} })),
  );
  assert.deepEqual(
    ends.map(({ stdout }) => stdout.trim()),
    ["0", "1", "2", "3", "4", "5"],
  );
  assert.equal(new Set(ends.map(({ sealed }) => sealed?.stack)).size, 6);
  assert.equal(plainStep(undefined, []).below, undefined);
  assert.deepEqual(await bed.leftovers(), []);
});
