import assert from "node:assert/strict";
import { mkdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Container, RestartPolicy } from "../containers.ts";
import { type Bed, openBed } from "../testing/bed.ts";

let bed: Bed;
before(async () => {
  bed = await openBed();
});
after(async () => await bed[Symbol.asyncDispose]());

const always: RestartPolicy = { name: "always", maximumRetries: 0 };
const unlessStopped: RestartPolicy = { name: "unless-stopped", maximumRetries: 0 };
const onFailure = (maximumRetries: number): RestartPolicy => ({ name: "on-failure", maximumRetries });

async function until(id: string, holds: (container: Container) => boolean): Promise<Container> {
  const end = Date.now() + 20_000;
  for (;;) {
    const container = bed.containers.find(id);
    if (holds(container)) return container;
    assert.ok(
      Date.now() < end,
      `${container.name} is ${JSON.stringify(container.state, (_key, value) => String(value))}`,
    );
    await sleep(10);
  }
}

async function started(name: string, restart: RestartPolicy, command: readonly string[]): Promise<string> {
  const id = await bed.create({ name, restart, command });
  await bed.containers.start(id);
  return id;
}

async function removed(...ids: readonly string[]): Promise<void> {
  for (const id of ids) await bed.containers.remove(id, { force: true, volumes: false });
}

const restarting = ({ state }: Container): boolean => state.status === "restarting";
const running = ({ state }: Container): boolean => state.status === "running";
const exited = ({ state }: Container): boolean => state.status === "exited";

test("restart policy: on-failure:2 restarts twice with Docker's back-off, then stays down with its code", async () => {
  bed.events.length = 0;
  const id = await started("thrice", onFailure(2), ["sh", "-c", "exit 3"]);
  const { restartCount, state } = await until(id, (one) => one.restartCount === 2 && exited(one));
  assert.ok(state.status === "exited" && state.exitCode === 3);
  assert.equal(restartCount, 2);
  const own = bed.events.filter(({ actorId }) => actorId === id);
  assert.deepEqual(
    own.map(({ action }) => action),
    ["create", "start", "die", "start", "die", "start", "die"],
  );
  const times = own.map(({ timeNs }) => Number(timeNs / 1_000_000n));
  assert.ok((times[3] ?? 0) - (times[2] ?? 0) >= 99);
  assert.ok((times[5] ?? 0) - (times[4] ?? 0) >= 199);
  await bed.containers.start(id); // a person's start counts anew
  await until(id, (one) => one.restartCount === 1);
  await removed(id);
});

test("restart policy: on-failure leaves success alone; no leaves all alone", async () => {
  const good = await started("good", onFailure(0), ["true"]);
  const plain = await started("plain", { name: "no", maximumRetries: 0 }, ["false"]);
  for (const id of [good, plain]) assert.equal((await until(id, exited)).restartCount, 0);
  await sleep(250);
  assert.ok([good, plain].every((id) => exited(bed.containers.find(id))));
  await removed(good, plain);
});

test("stop, kill, restart, remove: a container that waits for its restart does not start again", async () => {
  const crash = ["sh", "-c", "exit 4"];
  const ids: string[] = [];
  for (const name of ["loop-a", "loop-b", "loop-c", "loop-d"]) ids.push(await started(name, always, crash));
  for (const id of ids) await until(id, (one) => restarting(one) && one.restartCount >= 3);
  const [a = "", b = "", c = "", d = ""] = ids;
  const waiting = (await bed.containers.wait(a, "not-running", AbortSignal.timeout(20_000))).result;
  await until(a, restarting);
  await bed.containers.stop(a, {});
  assert.equal((await waiting).exitCode, 4);
  await bed.containers.kill(b);
  await bed.containers.restart(c, {});
  assert.ok(bed.containers.find(c).restartCount <= 1);
  await until(d, restarting);
  await assert.rejects(
    bed.containers.remove(d, { force: false, volumes: false }),
    /container is (restarting|running): stop/,
  );
  await removed(d);
  assert.throws(() => bed.containers.find(d), /No such container/);
  await sleep(500);
  for (const id of [a, b]) {
    const { state } = bed.containers.find(id);
    assert.ok(state.status === "exited" && state.exitCode === 4, state.status);
  }
  await assert.rejects(bed.containers.stop(a, {}), /already stopped/);
  await removed(a, b, c);
});

test("restarting: exec, pause and top are refused in Docker's words, a start is not needed", async () => {
  const id = await started("between", always, ["sh", "-c", "exit 1"]);
  await until(id, (one) => restarting(one) && one.restartCount >= 4); // 800 ms to look
  const words = new RegExp(`Container ${id} is restarting, wait until the container is running`);
  await assert.rejects(bed.exec(id, ["true"]), words);
  await assert.rejects(bed.containers.pause(id), words);
  await assert.rejects(bed.containers.top(id, ""), words);
  await assert.rejects(bed.containers.start(id), /already running/);
  assert.equal(bed.containers.list({ all: false, filters: {} }).length, 1);
  await removed(id);
});

test("kill: a signal that ends keeps the policy from restarting, one that reloads does not", async () => {
  const handles = ["sh", "-c", "trap 'exit 9' TERM; trap 'exit 8' HUP; while :; do sleep 0.05; done"];
  const ended = await started("ended", unlessStopped, handles);
  const reloaded = await started("reloaded", unlessStopped, handles);
  await sleep(300);
  await bed.containers.kill(ended, "TERM");
  await bed.containers.kill(reloaded, "HUP");
  assert.ok(((await until(ended, exited)).state as { exitCode: number }).exitCode === 9);
  await until(reloaded, (one) => one.restartCount === 1 && running(one));
  assert.ok(exited(bed.containers.find(ended)));
  await removed(ended, reloaded);
});

test("restart policy: a failed start counts, says why, and is tried again until it works", async () => {
  const folder = join(bed.dir, "wanted");
  await mkdir(folder);
  const spec = {
    source: folder,
    target: "/data",
    kind: "bind" as const,
    readOnly: false,
    createSource: false,
    propagation: "rprivate" as const,
  };
  const id = await bed.create({
    name: "retried",
    restart: onFailure(0),
    command: ["sh", "-c", "sleep 0.2; exit 1"],
    mounts: [spec],
  });
  await bed.containers.start(id);
  await rm(folder, { recursive: true });
  const failed = await until(id, ({ state }) => state.status === "restarting" && state.error !== "");
  assert.ok(failed.state.status === "restarting" && failed.state.exitCode >= 125);
  assert.match(failed.state.error, /wanted|No such file|no such file/);
  await mkdir(folder);
  const again = await until(id, running);
  assert.ok(again.restartCount >= 2);
  await removed(id);
});

test("restart policy: a port that is taken at the restart ends on-failure:2 with the reason", async () => {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address() as { port: number };
  probe.close();
  const id = await bed.create({
    name: "port",
    restart: onFailure(2),
    networkMode: "bridge",
    command: ["sh", "-c", "sleep 0.3; exit 1"],
    ports: [{ protocol: "tcp", containerPort: 80, hostIp: "127.0.0.1", hostPort: { first: port, last: port } }],
  });
  await bed.containers.start(id);
  const pid = (bed.containers.find(id).state as { pid: number }).pid;
  assert.ok(pid > 0);
  const taken = await takePort(port, id);
  const { restartCount, state } = await until(id, exited);
  assert.ok(
    state.status === "exited" && /address already in use|port is already allocated/.test(state.error),
    JSON.stringify(state.status),
  );
  assert.equal(restartCount, 2);
  taken.close();
  await removed(id);
});

/** Takes the port as soon as the container lets it go. */
async function takePort(port: number, id: string): Promise<{ close: () => void }> {
  await until(id, (one) => !running(one));
  for (let tries = 0; ; tries++) {
    const server = createServer().listen(port, "127.0.0.1");
    const result = await new Promise<"listening" | Error>((resolve) => {
      server.once("listening", () => resolve("listening"));
      server.once("error", resolve);
    });
    if (result === "listening") return { close: () => server.close() };
    if (tries > 1000) throw result;
  }
}

test("openContainers: each policy after the daemon was away", async () => {
  const loop = ["sh", "-c", "while :; do sleep 0.1; done"];
  const runs = await started("runs", always, loop);
  const alwaysStopped = await started("always-stopped", always, loop);
  const unlessIsStopped = await started("unless-is-stopped", unlessStopped, loop);
  const failing = await started("failing", onFailure(0), ["sh", "-c", "exit 5"]);
  const good = await started("well-done", onFailure(0), ["true"]);
  const never = await bed.create({ name: "never", restart: always, command: loop });
  for (const id of [alwaysStopped, unlessIsStopped]) await bed.containers.stop(id, { timeoutSeconds: 0 });
  await until(good, exited);
  await until(failing, (one) => restarting(one) && one.restartCount >= 3);
  const { pid } = (await until(runs, running)).state as { pid: number };
  await bed.reopen();
  assert.equal((bed.containers.find(runs).state as { pid: number }).pid, pid);
  await until(alwaysStopped, running);
  await until(failing, (one) => one.restartCount >= 4);
  await sleep(200);
  assert.ok(exited(bed.containers.find(unlessIsStopped)));
  assert.ok(exited(bed.containers.find(good)));
  assert.equal(bed.containers.find(never).state.status, "created");
  await bed.containers.start(unlessIsStopped);
  await removed(runs, alwaysStopped, unlessIsStopped, failing, good, never);
});

test("restart policy: a container that lost its monitor is started again", async () => {
  const id = await started("bereft", onFailure(0), ["sleep", "1000"]);
  const { pid } = (await until(id, running)).state as { pid: number };
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  process.kill(Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]), "SIGKILL");
  await until(id, (one) => one.restartCount === 1 && running(one));
  await removed(id);
});

test("create: --rm and a restart policy exclude each other, in Docker's words", async () => {
  await assert.rejects(
    bed.create({ restart: always, autoRemove: true, command: ["true"] }),
    /^Fault: can't create 'AutoRemove' container with restart policy$/,
  );
});
