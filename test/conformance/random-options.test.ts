import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import * as fc from "fast-check";
import { createBody, type Option, optionSets, updateBodies } from "#fixtures/create-options";
import { type ApiAnswer, startDaemon, type TestDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";
import { settle, takeInventory } from "#fixtures/inventory";

const count = Number(process.env["SLIPWAY_TEST_OPTION_SETS"] ?? 500);
const seed = Number(process.env["SLIPWAY_TEST_SEED"] ?? Date.now() % 2 ** 31);
/** One of so many sensible containers is started too; every one with a bad option is, which must be told by then. */
const startedOneOf = 3;
/** On a machine that others use too. What takes longer hangs. */
const patienceMs = 60_000;
const atATime = 4;
/** Enough to see what is wrong. */
const mostComplaints = Number(process.env["SLIPWAY_TEST_COMPLAINTS"] ?? 10);

/** How far a container came; an Error is what the test complains about. */
type End = "refused" | "created" | "start refused" | "started" | Error;

test(`${count} random sets of options (SLIPWAY_TEST_SEED=${seed}): clear answers, inspect shows what was asked, nothing leaks`, async (context) => {
  await using daemon = await startDaemon({ busybox: true });
  await said(daemon, "run", "--rm", "busybox", "true"); // the bridge is there from now on
  await using folder = await scratch();
  const traces = new RegExp(
    `^mount .*(?:${daemon.roots.execRoot}|${daemon.roots.dataRoot})|^cgroup .*${daemon.instance}/`,
  );
  const before = await takeInventory(traces);
  const surroundings = { folder: folder.path, blockDevice: await blockDevice() };
  const ends = await tryAll(daemon, fc.sample(optionSets(surroundings), { numRuns: count, seed }));
  const complaints = ends.filter((end) => end instanceof Error).map(({ message }) => message);
  assert.deepEqual(complaints, [], complaints.join("\n"));
  const counts = Object.entries(Object.groupBy(ends, String)).map(([end, all = []]) => `${end} ${all.length}`);
  context.diagnostic(counts.toSorted().join(", "));
  assert.ok(ends.filter((end) => end === "started").length > count / 20, "too few started to tell anything");
  assert.equal((await daemon.api("GET", "/containers/json?all=1")).text.trim(), "[]");
  for (let wait = 0; wait < 100 && (await foldersOf(daemon)).length > 0; wait++) await sleep(100); // removed behind the answer
  assert.deepEqual(await foldersOf(daemon), []);
  assert.deepEqual(await settle(before, traces), []);
});

test(`random updates of a running container (SLIPWAY_TEST_SEED=${seed}): whole or not at all, and it runs on`, async () => {
  await using daemon = await startDaemon({ busybox: true });
  const id = await said(daemon, "run", "-d", "busybox", "sleep", "600");
  const hostConfig = async (): Promise<unknown> => (await ask(daemon, "GET", `/containers/${id}/json`)).body.HostConfig;
  const bodies = fc.sample(updateBodies({ folder: "/nothing", blockDevice: await blockDevice() }), {
    numRuns: count / 5,
    seed,
  });
  let taken = 0;
  for (const body of bodies) {
    const before = await hostConfig();
    const answer = await ask(daemon, "POST", `/containers/${id}/update`, body);
    if (answer.status === 200) taken++;
    else {
      checkRefusal(answer, "refused");
      assert.deepEqual(await hostConfig(), before, JSON.stringify(body));
    }
  }
  assert.ok(taken > bodies.length / 10, `only ${taken} were taken`);
  assert.equal(await said(daemon, "exec", id, "echo", "runs on"), "runs on");
});

/** Tries every set, some at a time. A complaint names the fewest options that still show it. */
async function tryAll(daemon: TestDaemon, sets: readonly (readonly Option[])[]): Promise<End[]> {
  const ends: End[] = [];
  const left = sets.map((options, index) => ({ options, isStarted: index % startedOneOf === 0 }));
  const worker = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const { options, isStarted } = next;
      const end = await oneContainer(daemon, options, isStarted);
      if (!(end instanceof Error)) ends.push(end);
      else if (ends.filter((other) => other instanceof Error).length < mostComplaints) {
        const fewest = await minimize(
          options,
          async (fewer) => (await oneContainer(daemon, fewer, isStarted)) instanceof Error,
        );
        ends.push(new Error(`${end.message} ${JSON.stringify(createBody(fewest))}`));
      }
    }
  };
  await Promise.all(Array.from({ length: atATime }, worker));
  return ends;
}

/** Leaves out one option after another that the failure does not need. */
async function minimize(
  options: readonly Option[],
  fails: (options: readonly Option[]) => Promise<boolean>,
): Promise<readonly Option[]> {
  let kept = options;
  for (const option of options) {
    const fewer = kept.filter((other) => other !== option);
    if (await fails(fewer)) kept = fewer;
  }
  return kept;
}

/** The whole life of a container with these options. */
async function oneContainer(daemon: TestDaemon, options: readonly Option[], isStarted: boolean): Promise<End> {
  try {
    const created = await ask(daemon, "POST", "/containers/create", createBody(options));
    // Alone, what makes sense works, but for what is still to come.
    const mustWork = options.length < 2 && options.every(({ kind }) => kind === "good") && created.status !== 501;
    if (created.status !== 201 && !mustWork) return checkRefusal(created, "refused");
    assert.equal(created.status, 201, created.text);
    const { Id: id, Warnings: warnings } = created.body as { Id: string; Warnings: string[] };
    try {
      checkInspect(await ask(daemon, "GET", `/containers/${id}/json`), options, warnings);
      const isBad = options.some(({ kind }) => kind === "bad");
      if (!isStarted && !isBad) return "created";
      const started = await ask(daemon, "POST", `/containers/${id}/start`);
      if (started.status !== 204 && !mustWork) return checkRefusal(started, "start refused");
      assert.equal(started.status, 204, started.text);
      // What the machine cannot do at all is dropped with a warning, whatever its value.
      assert.ok(!isBad || warnings.length > 0, "a bad value was taken");
      return "started";
    } finally {
      const removed = await ask(daemon, "DELETE", `/containers/${id}?force=1`);
      // With AutoRemove it may be gone, or about to go.
      if (removed.status !== 404 && removed.status !== 409) assert.equal(removed.status, 204, removed.text);
    }
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function foldersOf({ roots }: TestDaemon): Promise<string[]> {
  const folders = [roots.execRoot, roots.dataRoot].map((root) => join(root, "containers"));
  return (await Promise.all(folders.map(async (folder) => await readdir(folder)))).flat();
}

async function ask(daemon: TestDaemon, method: string, path: string, body?: unknown): Promise<ApiAnswer> {
  const timer = new AbortController();
  const late = new Promise<never>((_resolve, reject) => {
    const timeout = setTimeout(() => reject(new Error(`${method} ${path} does not answer`)), patienceMs);
    timer.signal.addEventListener("abort", () => clearTimeout(timeout));
  });
  try {
    return await Promise.race([daemon.api(method, path, body), late]);
  } finally {
    timer.abort();
  }
}

/** A refusal is of the caller's doing, or of what is still to come: words for a person, and none of a program's insides. */
function checkRefusal({ status, body, text }: ApiAnswer, end: End): End {
  assert.ok((status >= 400 && status < 500) || status === 501, `${status} ${text}`);
  const message = (body as { message?: unknown } | undefined)?.message;
  assert.equal(typeof message, "string", text);
  assert.match(String(message), /\w/);
  assert.doesNotMatch(
    String(message),
    /TypeError|RangeError|undefined|\[object|Cannot read|node:|\bat .*:\d+:\d+|NaN/,
    text,
  );
  return end;
}

/** Fields whose shown value is made of several of the request's, or of the machine; other tests look at them. */
const derived = new Set(["AutoRemove", "Mounts", "Tmpfs", "MaskedPaths", "ReadonlyPaths", "PortBindings", "Devices"]);
/** Notes of clients to themselves. */
const forgotten = new Set(["ContainerIDFile", "ConsoleSize"]);

function checkInspect(
  { status, body, text }: ApiAnswer,
  options: readonly Option[],
  warnings: readonly string[],
): void {
  assert.equal(status, 200, text);
  for (const { place, name, value, kind } of options) {
    if (place !== "HostConfig" || kind !== "good" || meansDefault(value) || derived.has(name) || forgotten.has(name))
      continue;
    const shown = (body as { HostConfig: Record<string, unknown> }).HostConfig[name];
    // What the machine cannot do is dropped with a warning.
    if (warnings.length > 0 && (meansDefault(shown) || shown === null)) continue;
    assert.deepEqual(shown, value, `HostConfig.${name}`);
  }
}

/** Go's zero values and what clients send for "not asked". */
function meansDefault(value: unknown): boolean {
  if (typeof value === "object" && value !== null) {
    return "Name" in value || "Type" in value ? meansDefault(Object.values(value)[0]) : Object.keys(value).length === 0;
  }
  return [null, undefined, "", 0, -1, false, "default", "no"].some((nothing) => nothing === value);
}

async function scratch(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "slipway-options-"));
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }) };
}

async function blockDevice(): Promise<string | undefined> {
  const name = (await readdir("/sys/block").catch(() => [])).find((found) => !found.startsWith("loop"));
  return name === undefined ? undefined : `/dev/${name}`;
}
