import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { LogLine } from "../containers.ts";
import { type Bed, makeBedFolder, openBed } from "../testing/bed.ts";

test("openContainers: takes up after kill -9 what runs, and knows what ended meanwhile", async () => {
  const dir = await makeBedFolder();
  const doomed = await startDoomed(dir, "settled");
  await kill(doomed);
  await sleep(1200); // `ends` and `goes` end while nobody looks
  await using bed = await openBed(dir);
  const { containers } = bed;
  const stateOf = (name: string): string => containers.find(name).state.status;
  assert.deepEqual(
    ["runs", "paused", "created", "ends", "ended"].map((name) => stateOf(name)),
    ["running", "paused", "created", "exited", "exited"],
  );
  assert.deepEqual([exitCodeOf(bed, "ends"), exitCodeOf(bed, "ended")], [42, 5]);
  assert.throws(() => containers.find("goes"), /No such container: goes/);
  const lines: LogLine[] = [];
  const options = { streams: ["stdout" as const], follow: false };
  for await (const line of containers.logs("runs", options, AbortSignal.timeout(5000))) lines.push(line);
  const texts = lines.map((line) => Buffer.from(line.bytes).toString().trim());
  assert.deepEqual(
    texts,
    texts.map((_text, index) => `line ${index + 1}`),
  ); // not one is missing
  assert.ok(texts.length > 40);
  await containers.unpause("paused");
  assert.equal((await bed.exec(containers.find("paused").id, ["echo", "alive"])).stdout, "alive\n");
  await containers.stop("paused", { timeoutSeconds: 0 });
  assert.equal(exitCodeOf(bed, "paused"), 137);
  await containers.start("created");
  await containers.remove("runs", { force: true, volumes: false });
  await containers.start("ends"); // its log goes on, its name is the same
  await removeAll(bed);
  await assertNothingLeft(bed);
});

test("openContainers: leaves nothing over when the daemon is killed at any moment", async () => {
  const dir = await makeBedFolder();
  for (let round = 0; round < 4; round++) {
    const doomed = await startDoomed(dir, "busy");
    await sleep(60 + Math.random() * 200);
    await kill(doomed);
  }
  await using bed = await openBed(dir);
  for (const container of bed.containers.list({ all: true, filters: {} })) {
    assert.ok(["created", "running", "exited"].includes(container.state.status), container.state.status);
  }
  await removeAll(bed);
  await assertNothingLeft(bed);
});

test("openContainers: a container whose monitor was killed is ended with it", async () => {
  await using bed = await openBed();
  const id = await bed.create({ command: ["sleep", "1000"] });
  await bed.containers.start(id);
  const { state } = bed.containers.find(id);
  assert.ok(state.status === "running");
  const { result } = await bed.containers.wait(id, "next-exit", AbortSignal.timeout(20_000));
  process.kill(await parentOf(state.pid), "SIGKILL");
  assert.equal((await result).exitCode, 255);
  assert.equal(await isAlive(state.pid), false);
  await bed.containers.start(id); // and it can be started again
  await removeAll(bed);
  await assertNothingLeft(bed);
});

async function startDoomed(dir: string, scenario: string): Promise<ChildProcess> {
  const doomed = spawn(process.execPath, [join(import.meta.dirname, "../testing/doomed.ts"), dir, scenario], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  for await (const chunk of doomed.stdout) {
    said += String(chunk);
    if (said.includes("ready")) break;
  }
  assert.match(said, /ready/);
  return doomed;
}

async function kill(doomed: ChildProcess): Promise<void> {
  doomed.kill("SIGKILL");
  if (doomed.exitCode === null && doomed.signalCode === null) await once(doomed, "exit");
}

function exitCodeOf(bed: Bed, name: string): number {
  const { state } = bed.containers.find(name);
  return state.status === "exited" ? state.exitCode : -1;
}

/** A dead process whose new parent is slow to notice does not count. */
async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return status !== "" && !/^State:\tZ/m.test(status);
}

async function parentOf(pid: number): Promise<number> {
  return Number(/^PPid:\t([0-9]+)$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]);
}

async function removeAll(bed: Bed): Promise<void> {
  for (const { id } of bed.containers.list({ all: true, filters: {} })) {
    await bed.containers.remove(id, { force: true, volumes: false });
  }
}

async function assertNothingLeft(bed: Bed): Promise<void> {
  await bed.reopen();
  const { paths, cgroups } = bed.host;
  for (const folder of [
    join(paths.execRoot, "containers"),
    join(paths.execRoot, "runtime"),
    join(paths.dataRoot, "containers"),
    join(paths.dataRoot, "roots"),
  ]) {
    // Not made before the first container ran.
    assert.deepEqual(existsSync(folder) ? await readdir(folder) : [], [], folder);
  }
  assert.deepEqual(await cgroups.list(), []);
  assert.deepEqual(await monitorsOf(paths.execRoot), []);
}

/** Processes whose working folder is a container's bundle: monitors. */
async function monitorsOf(execRoot: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^[0-9]+$/.test(name));
  const folders = await Promise.all(pids.map(async (pid) => await readlink(`/proc/${pid}/cwd`).catch(() => "")));
  return folders.filter((folder) => folder.startsWith(join(execRoot, "containers")));
}
