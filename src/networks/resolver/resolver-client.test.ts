import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Fault } from "#core/fault";
import { isAlive } from "#core/is-alive";
import { startDetached } from "#host";
import type { ContainerNames } from "./container-names.ts";
import { openResolver } from "./resolver-client.ts";
import { resolverProgram } from "./resolver-program.ts";
import { containerOf, queryOf, readAnswer } from "./testing/messages.ts";
import { connectMonitor } from "./testing/monitor.ts";
import { killed, type ResolverBed, resolverBed } from "./testing/resolver-process.ts";

const web = containerOf("web", { n1: { names: ["web"], ipv4: "10.0.1.2" } });

test("slipway resolver: folder and sockets are the owner's alone; a second one ends at once and leaves the first", async () => {
  await using bed = resolverBed();
  await bed.startReady();
  const modes = ["", "queries.sock", "control.sock", "resolver.log"].map((name) => mode(join(bed.folder, name)));
  assert.deepEqual(modes, ["700", "600", "600", "600"]);
  const before = statSync(bed.queries).ino;
  await bed.start();
  assert.equal(await exitCode(bed, 1), 0);
  assert.equal(statSync(bed.queries).ino, before);
  using daemon = hand(bed);
  await daemon.resolver.state(web);
  assert.equal(bed.processes.length, 2);
  assert.deepEqual(await addressOf(bed, "web"), ["10.0.1.2"]);
});

test("slipway resolver: hang-up and Ctrl-C are not for it; SIGTERM ends it in order", async () => {
  await using bed = resolverBed();
  await bed.startReady();
  const [child] = bed.processes;
  child?.kill("SIGHUP");
  child?.kill("SIGINT");
  using daemon = hand(bed);
  await daemon.resolver.state(web);
  assert.deepEqual(await addressOf(bed, "web"), ["10.0.1.2"]);
  daemon.resolver.close();
  child?.kill("SIGTERM");
  assert.equal(await exitCode(bed, 0), 0);
  assert.ok(!readdirSync(bed.folder).some((name) => name.endsWith(".sock")));
});

test("slipway resolver: ends when no daemon comes, and when the last one leaves no names; stays while a container has one", async () => {
  await using unused = resolverBed();
  await unused.startReady("--idle-exit", "1");
  assert.equal(await exitCode(unused, 0), 0);
  await using bed = resolverBed();
  await bed.startReady("--idle-exit", "1");
  const daemon = hand(bed);
  await daemon.resolver.state(web);
  daemon.resolver.close();
  await sleep(1500);
  using monitor = await connectMonitor(bed.queries, "web");
  assert.deepEqual(readAnswer((await monitor.ask(queryOf("web"))).message).data, ["10.0.1.2"], "the daemon is away");
  const next = hand(bed);
  await next.resolver.state(web);
  await next.resolver.forget("web");
  next.resolver.close();
  assert.equal(await exitCode(bed, 0), 0);
});

test("openResolver: a killed resolver is started again and knows all; stale sockets are no hindrance", async () => {
  await using bed = resolverBed();
  using daemon = hand(bed);
  await daemon.state(web);
  await daemon.state(containerOf("other", { n1: { names: ["other"], ipv4: "10.0.1.3" } }));
  for (let round = 1; round <= 2; round++) {
    await killed(bed.processes.at(-1)!);
    await untilStarted(bed, round + 1);
    await daemon.state(containerOf(`new${round}`, { n1: { ipv4: "10.0.1.4" } }));
    assert.deepEqual(await addressOf(bed, "other"), ["10.0.1.3"]);
    assert.deepEqual(await addressOf(bed, `new${round}`), ["10.0.1.4"]);
  }
  await daemon.resolver.forget("other");
  using monitor = await connectMonitor(bed.queries, "other");
  assert.equal(readAnswer((await monitor.ask(queryOf("web"))).message).rcode, "SERVFAIL");
  assert.deepEqual(daemon.troubles, []);
});

test("openResolver: many at once are pipelined; another daemon takes over with its own picture", async () => {
  await using bed = resolverBed();
  using daemon = hand(bed);
  const many = Array.from({ length: 2000 }, (_, index) => containerOf(`c${index}`, { n1: { ipv4: "10.1.0.1" } }));
  await Promise.all(many.map(async (container) => await daemon.state(container)));
  assert.deepEqual(await addressOf(bed, "c1999"), ["10.1.0.1"]);
  daemon.resolver.close();
  using next = hand(bed, [web]);
  await next.resolver.state(containerOf("late", { n1: { ipv4: "10.0.1.5" } }));
  assert.deepEqual(await addressOf(bed, "web"), ["10.0.1.2"]);
  using monitor = await connectMonitor(bed.queries, "c1999");
  assert.equal(readAnswer((await monitor.ask(queryOf("c1999"))).message).rcode, "SERVFAIL");
  assert.equal(bed.processes.length, 1);
});

test("openResolver: one that cannot be started, or does not answer, keeps nobody for long and is told of once", async () => {
  await using bed = resolverBed();
  const broken = new Fault("unavailable", "cannot start it");
  const troubles: Fault[] = [];
  const start = async (): Promise<void> => await Promise.reject(broken);
  const options = { folder: bed.folder, picture: () => [], onTrouble: (fault: Fault) => troubles.push(fault) };
  const failing = openResolver({ ...options, start });
  const started = performance.now();
  await Promise.all([failing.state(web), failing.state(web), failing.forget("web")]);
  assert.ok(performance.now() - started < 2500);
  assert.deepEqual(troubles, [broken]);
  failing.close();

  mkdirSync(bed.folder);
  const deaf = createServer(() => undefined).listen(bed.control);
  await once(deaf, "listening");
  const waiting = openResolver({ ...options, start });
  await waiting.state(web);
  assert.equal(troubles.length, 2);
  waiting.close();
  deaf.close();
});

test("resolverProgram, startDetached: in a session of its own, without streams and descriptors of ours, in little memory", async () => {
  await using bed = resolverBed();
  const { path, args, env } = resolverProgram(bed.folder);
  const program = join(import.meta.dirname, "../../../bin/slipway.ts");
  const own = args.map((word) => (word === process.argv[1] ? program : word));
  await startDetached({ path, args: [...own, "--idle-exit", "20"], env });
  const pid = await pidOf(bed);
  try {
    const facts = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    assert.equal(facts[3], String(pid), "leads its session");
    const streams = [0, 1, 2].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    assert.deepEqual(streams, ["/dev/null", "/dev/null", "/dev/null"]);
    const paths = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    const files = paths.filter((path) => path.startsWith("/") && path !== "/dev/null");
    assert.deepEqual(files, [join(bed.folder, "resolver.lock")]);
  } finally {
    process.kill(pid, "SIGTERM");
    while (isAlive(pid)) await sleep(10);
  }
});

test("startDetached: a program that is not there is a Fault", async () => {
  const missing = { path: "/nowhere/program", args: [], env: {} };
  await assert.rejects(startDetached(missing), { name: "Fault", kind: "unavailable" });
});

/** A daemon's hand on the resolver of that bed, which starts processes of the bed. */
function hand(bed: ResolverBed, known: readonly ContainerNames[] = []) {
  const containers = new Map(known.map((container) => [container.id, container]));
  const troubles: Fault[] = [];
  const resolver = openResolver({
    folder: bed.folder,
    start: async () => await bed.start(),
    picture: () => containers.values(),
    onTrouble: (fault) => troubles.push(fault),
  });
  return {
    resolver,
    troubles,
    async state(container: ContainerNames): Promise<void> {
      containers.set(container.id, container);
      await resolver.state(container);
    },
    [Symbol.dispose]: () => resolver.close(),
  };
}

async function addressOf(bed: ResolverBed, name: string): Promise<unknown[]> {
  using monitor = await connectMonitor(bed.queries, name);
  return readAnswer((await monitor.ask(queryOf(name))).message).data;
}

async function exitCode(bed: ResolverBed, index: number): Promise<number | null> {
  const child = bed.processes[index]!;
  if (child.exitCode === null) await once(child, "exit", { signal: AbortSignal.timeout(10_000) });
  return child.exitCode;
}

async function untilStarted(bed: ResolverBed, count: number): Promise<void> {
  for (let tries = 0; bed.processes.length < count; tries++) {
    assert.ok(tries < 500, "it is not started again");
    await sleep(10);
  }
}

async function pidOf(bed: ResolverBed): Promise<number> {
  for (let tries = 0; ; tries++) {
    const found = /pid=(\d+)/.exec(readLog(bed))?.[1];
    if (found !== undefined && readdirSync(bed.folder).includes("control.sock")) return Number(found);
    assert.ok(tries < 500, "it does not start");
    await sleep(10);
  }
}

function readLog(bed: ResolverBed): string {
  try {
    return readFileSync(join(bed.folder, "resolver.log"), "utf8");
  } catch {
    return "";
  }
}

function mode(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}
