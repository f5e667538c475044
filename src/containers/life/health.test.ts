import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Healthcheck } from "#core/oci";
import type { Container, ContainerSpec } from "../containers.ts";
import { type Bed, openBed } from "../testing/bed.ts";

let bed: Bed;
before(async () => {
  bed = await openBed();
});
after(async () => await bed[Symbol.asyncDispose]());

const ms = 1e6;
const loop = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"];

async function until(id: string, holds: (container: Container) => boolean): Promise<Container> {
  const end = Date.now() + 20_000;
  for (;;) {
    const container = bed.containers.find(id);
    if (holds(container)) return container;
    assert.ok(
      Date.now() < end,
      `${container.name}: ${JSON.stringify(container.health, (_key, value) => String(value))}`,
    );
    await sleep(10);
  }
}

async function started(name: string, check: Healthcheck, more: Partial<ContainerSpec> = {}): Promise<string> {
  const healthcheck = { Interval: 100 * ms, Timeout: 5000 * ms, Retries: 2, ...check };
  const id = await bed.create({ name, command: loop, healthcheck, ...more });
  await bed.containers.start(id);
  return id;
}

const is =
  (status: string) =>
  ({ health }: Container): boolean =>
    health?.status === status;

async function removed(...ids: readonly string[]): Promise<void> {
  for (const id of ids) await bed.containers.remove(id, { force: true, volumes: false });
}

test("health: starting, healthy, unhealthy after the retries, healthy again; with events, five results and no trace", async () => {
  bed.events.length = 0;
  const id = await started("changes", { Test: ["CMD-SHELL", "echo looked; test ! -e /tmp/sick"] });
  assert.equal(bed.containers.find(id).health?.status, "starting");
  const good = await until(id, is("healthy"));
  assert.deepEqual([good.health?.log[0]?.exitCode, good.health?.log[0]?.output], [0, "looked\n"]);
  await bed.exec(id, ["touch", "/tmp/sick"]);
  const sick = await until(id, is("unhealthy"));
  assert.equal(sick.health?.failingStreak, 2);
  assert.equal(sick.health.log.at(-1)?.exitCode, 1);
  const { health } = await until(id, (one) => (one.health?.log.length ?? 0) === 5);
  assert.ok(health !== undefined && health.log.every((one) => one.endedNs > one.startedNs));
  const actions = bed.events.filter(({ actorId }) => actorId === id).map(({ action }) => action);
  assert.deepEqual(actions.filter((action) => action.startsWith("health_status")).slice(0, 2), [
    "health_status: healthy",
    "health_status: unhealthy",
  ]);
  const probe = bed.events.filter(({ attributes }) => "execID" in attributes).slice(0, 3);
  assert.deepEqual(
    probe.map(({ action }) => action),
    ["exec_create", "exec_start"]
      .map((word) => `${word}: /bin/sh -c echo looked; test ! -e /tmp/sick`)
      .concat("exec_die"),
  );
  assert.equal(new Set(probe.map(({ attributes }) => attributes["execID"])).size, 1);
  await bed.containers.stop(id, {});
  assert.equal(bed.containers.find(id).health?.status, "unhealthy"); // Docker's word for what does not run
  assert.deepEqual(bed.containers.find(id).execIds, []);
  await removed(id);
});

test("health: a probe that takes too long is killed with its children, and says so", async () => {
  const id = await started("slow", {
    Test: ["CMD-SHELL", "echo begun; sleep 977 & sleep 978; echo never"],
    Timeout: 300 * ms,
    Retries: 1,
  });
  const { health } = await until(id, is("unhealthy"));
  assert.deepEqual(
    [health?.log[0]?.exitCode, health?.log[0]?.output],
    [-1, "Health check exceeded timeout (300ms): begun\n"],
  );
  await until(id, (one) => one.health?.log.length === 3);
  await bed.containers.pause(id); // kills the one that is running
  await bed.containers.unpause(id);
  const { processes } = await bed.containers.top(id, "-eo pid,args");
  const left = processes.filter((row) => /sleep 97[78]/.test(row[1] ?? ""));
  assert.ok(left.length <= 2, JSON.stringify(processes)); // those of the next probe, at most
  await removed(id);
});

test("health: output is cut at 4,096 bytes; a program that is not there is −1 in Docker's words", async () => {
  const loud = await started("loud", { Test: ["CMD", "seq", "100000"] });
  const { health } = await until(loud, is("healthy"));
  assert.equal(health?.log[0]?.output.length, 4099);
  assert.ok(health.log[0].output.endsWith("..."));
  const gone = await started("gone", { Test: ["CMD", "no-such-check"], Retries: 1 });
  const result = (await until(gone, is("unhealthy"))).health?.log[0];
  assert.equal(result?.exitCode, -1);
  assert.match(
    result.output,
    /^OCI runtime exec failed: .*exec: "no-such-check": executable file not found in \$PATH: unknown$/,
  );
  const files = await readdir(join(bed.host.paths.execRoot, "containers", gone));
  assert.ok(!files.includes("health.log"));
  await removed(loud, gone);
});

test("health: the image's check is inherited, NONE takes it away, the shell is the image's", async () => {
  const before = bed.defaults;
  bed.defaults = {
    ...before,
    Shell: ["/bin/sh", "-ec"],
    Healthcheck: { Test: ["CMD-SHELL", "exit 0"], Interval: 100 * ms },
  };
  const inherits = await bed.create({ name: "inherits", command: loop });
  const none = await bed.create({ name: "none", command: loop, healthcheck: { Test: ["NONE"] } });
  bed.defaults = before;
  for (const id of [inherits, none]) await bed.containers.start(id);
  assert.deepEqual(bed.containers.find(inherits).process.probe, ["/bin/sh", "-ec", "exit 0"]);
  await until(inherits, is("healthy"));
  assert.equal(bed.containers.find(none).health, undefined);
  const found = bed.containers.list({ all: false, filters: { health: ["healthy"] } }).map(({ name }) => name);
  assert.deepEqual(found, ["inherits"]);
  await removed(inherits, none);
});

test("health: nothing is probed while paused, on goes it after; also with the next daemon, which knows the status", async () => {
  const id = await started("resumes", { Test: ["CMD", "sh", "-c", "exit 1"] });
  await until(id, is("unhealthy"));
  await bed.containers.pause(id);
  const paused = bed.containers.find(id).health?.failingStreak ?? 0;
  await sleep(400);
  assert.equal(bed.containers.find(id).health?.failingStreak, paused);
  await bed.containers.unpause(id);
  await until(id, ({ health }) => (health?.failingStreak ?? 0) > paused);
  await bed.reopen();
  const taken = bed.containers.find(id).health;
  assert.equal(taken?.status, "unhealthy");
  await until(id, ({ health }) => (health?.log.at(-1)?.startedNs ?? 0n) > (taken.log.at(-1)?.startedNs ?? 0n));
  await removed(id);
  const bundle = join(bed.host.paths.execRoot, "containers", id);
  for (let tries = 0; existsSync(bundle) && tries < 500; tries++) await sleep(10);
  assert.ok(!existsSync(bundle));
});

test("health: a new run begins with starting and counts anew", async () => {
  const id = await started("anew", { Test: ["CMD", "false"], Retries: 1 });
  await until(id, is("unhealthy"));
  await bed.containers.restart(id, { timeoutSeconds: 5 });
  await until(id, ({ health }) => health?.failingStreak === 0 || (health?.log.length ?? 0) >= 2);
  await removed(id);
});

test("create: Docker's checks of a health check", async () => {
  await assert.rejects(
    bed.create({ command: ["true"], healthcheck: { Test: ["CMD", "true"], Interval: 1 } }),
    /Interval in Healthcheck cannot be less than 1ms/,
  );
  const { id, warnings } = await bed.containers.create(
    {
      ...bed.containers.find(await bed.create({ name: "plain", command: ["true"] })).spec,
      name: "odd",
      healthcheck: { Test: ["curl"] },
    },
    AbortSignal.timeout(5000),
  );
  assert.match(warnings.join(), /Unknown healthcheck type 'curl'/);
  await removed(id, "plain");
});
