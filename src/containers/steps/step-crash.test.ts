import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isFault } from "#core/fault";
import { makeBedFolder } from "../testing/bed.ts";
import { openStepBed } from "../testing/step-bed.ts";

test("runStep: the next start takes away all of a step whose daemon was killed, its root, mounts, group and place in networks", async () => {
  const dir = await makeBedFolder();
  const doomed = spawn(process.execPath, [join(import.meta.dirname, "../testing/doomed-step.ts"), dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(doomed.stdout, "data")) as [Buffer];
  assert.equal(said.toString(), "runs\n");
  doomed.kill("SIGKILL");
  await once(doomed, "close");
  assert.notDeepEqual(readdirSync(join(dir, "exec/containers")), []);
  await using bed = await openStepBed({ left: dir });
  assert.deepEqual(await bed.leftovers(), []);
  assert.deepEqual(bed.containers.list({ all: true, filters: {} }), []);
  assert.deepEqual(bed.networks.membersOf(bed.networks.find("bridge").id), []);
  assert.equal(mountsBelow(dir), "");
  assert.equal((await bed.step("ls /written", {})).exitCode, 1);
});

test("runStep: a step whose monitor is killed is a failure, and nothing of it is left", async () => {
  await using bed = await openStepBed();
  const ran = bed.step("echo on; sleep 1000", { onOutput: () => started.resolve() });
  const started = Promise.withResolvers<void>();
  await started.promise;
  const [id = ""] = readdirSync(join(bed.dir, "exec/containers"));
  process.kill(monitorOf(join(bed.dir, "exec/containers", id)), "SIGKILL");
  await assert.rejects(ran, (error) => isFault(error, "unavailable"));
  assert.deepEqual(await bed.leftovers(), []);
});

test("runStep: a secret is in no file of the daemon's, nor in its records, nor in the layer", async () => {
  await using bed = await openStepBed();
  const bytes = Buffer.from(`word-${"hidden".repeat(3)}`);
  const mounts = [{ kind: "secret", bytes, target: "/run/secrets/key", mode: 0o440, uid: 1000, gid: 77 }] as const;
  let where: string[] = ["not looked"];
  const ran = await bed.step(
    "stat -c '%a %u %g' /run/secrets/key; cat /run/secrets/key >/dev/null && echo read; sleep 0.3; echo x >/x",
    {
      mounts,
      seal: {},
      onOutput: async () => void (where = await filesWith(bed.dir, bytes)),
    },
  );
  assert.equal(ran.exitCode, 0);
  assert.deepEqual(where, []);
  assert.deepEqual(await filesWith(bed.dir, bytes), []);
  const told = await bed.step("stat -c '%a %u %g' /run/secrets/key; cat /run/secrets/key", { mounts });
  assert.equal(told.stdout, `440 1000 77\n${bytes.toString()}`);
  assert.deepEqual(await bed.images.layers.look(ran.sealed?.stack, "/run"), undefined);
});

test("runStep: under --userns-remap root is nobody special, and the layer has the image's own ids", async () => {
  await using bed = await openStepBed({ usernsRemap: "default" });
  const secret = { kind: "secret", bytes: Buffer.from("s"), target: "/s", mode: 0o400, uid: 0, gid: 0 } as const;
  const stack = { kind: "stack", stack: bed.below, subpath: "etc", target: "/from", writable: true } as const;
  const ran = await bed.step(
    "cat /proc/self/uid_map /s; stat -c %u /from/passwd; rm /from/plain; echo x >/x; touch /y; chmod 4755 /y; cat /etc/hosts",
    {
      mounts: [secret, stack],
      seal: {},
    },
  );
  assert.equal(ran.exitCode, 0, ran.stderr);
  assert.match(ran.stdout, /^\s*0\s+[1-9][0-9]{4,}\s+65536\ns0\n/);
  const { mode, uid, gid } = (await bed.images.layers.look(ran.sealed?.stack, "/y")) ?? {};
  assert.deepEqual([mode, uid, gid], [0o4755, 0, 0]);
  assert.deepEqual(await bed.leftovers(), []);
});

function mountsBelow(dir: string): string {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(dir))
    .join("\n");
}

/** The process that listens at the monitor's socket. */
function monitorOf(bundle: string): number {
  const pid = Number(readFileSync(join(bundle, "pid"), "utf8"));
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^PPid:\s+([0-9]+)$/m.exec(status)?.[1]);
}

async function filesWith(folder: string, bytes: Buffer): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && readFileSync(path).includes(bytes)) found.push(path);
  }
  await sleep(1);
  return found;
}
