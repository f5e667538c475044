import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, writeFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Monitor, StartFailure } from "./shim-types.ts";
import { openTestBed, readAll, type TestBed } from "./test-bed.ts";

let bed: TestBed;
before(async () => {
  bed = await openTestBed();
});
after(async () => bed[Symbol.asyncDispose]());

test("start: output, exit code and exit record of a short program", async () => {
  const { attachment, monitor, start } = await bed.start(["sh", "-c", "echo out; echo err >&2; exit 3"]);
  assert.deepEqual(await readAll(attachment), { stdout: "out\n", stderr: "err\n", gap: false });
  const exit = await monitor.exited;
  assert.equal(exit.code, 3);
  assert.equal(exit.signal, null);
  assert.ok(Math.abs(Number(exit.timeNs / 1_000_000n) - Date.now()) < 5_000);
  await monitor.gone;
  assert.deepEqual(await bed.shim.readExitRecord(start.dir), exit);
  assert.equal(existsSync(join(start.dir, "monitor.sock")), false);
  assert.equal(await bed.shim.openMonitor(start.dir), undefined);
});

test("start: a program that ends at once loses neither output nor status", async () => {
  for (let i = 0; i < 10; i++) {
    const { attachment, monitor } = await bed.start(["echo", `${i}`]);
    assert.equal((await readAll(attachment)).stdout, `${i}\n`);
    assert.equal((await monitor.exited).code, 0);
    await monitor.gone;
  }
});

test("start: a command that does not exist fails with the runtime's words and leaves nothing", async () => {
  const start = await bed.container(["/no/such/program"]);
  const slot = await bed.shim.prepareMonitor({ newNetns: false });
  await assert.rejects(slot.start(start), (error) => {
    assert.ok(error instanceof StartFailure);
    assert.equal(error.stage, "runtime");
    assert.equal(error.status, 1);
    assert.match(error.message, /no\/such\/program/);
    return true;
  });
  await processGone(slot.pid);
  assert.equal(existsSync(join(start.dir, "monitor.sock")), false);
  assert.deepEqual(readdirSync(join(bed.dir, "crun")).includes(start.id), false);
});

test("start: a runtime that hangs is killed, what it made is deleted, and the failure says so", async () => {
  const start = await bed.container(["sleep", "100"]);
  const create = start.runtimeArgv
    .map((word) => (word === "run" ? "create" : word))
    .filter((word) => word !== "--detach");
  const runtimeArgv = ["sh", "-c", '"$@" && sleep 100 & sleep 100', "sh", ...create];
  const slot = await bed.shim.prepareMonitor({ newNetns: false });
  await assert.rejects(
    slot.start({ ...start, runtimeArgv, timeLimitMs: 500 }),
    (error) => error instanceof StartFailure && /did not come to an end in time/.test(error.message),
  );
  await processGone(slot.pid);
  assert.deepEqual(readdirSync(join(bed.dir, "crun")).includes(start.id), false);
});

test("start: an OOM kill is told from the cgroup's own count", async () => {
  const container = await bed.container(["true"]);
  const oomFile = join(container.dir, "memory.oom_control");
  await writeFile(oomFile, "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  const slot = await bed.shim.prepareMonitor({ newNetns: false });
  const { monitor } = await slot.start({ ...container, oomFile });
  assert.equal((await monitor.exited).oomKilled, true);
  await monitor.gone;
  assert.equal((await bed.shim.readExitRecord(container.dir))?.oomKilled, true);
});

/** What a monitor tells of memory, from the first word on. */
function wordsOf(monitor: Monitor): boolean[] {
  const words: boolean[] = [];
  monitor.onOutOfMemory((killed) => void words.push(killed));
  return words;
}

test("start: a kill is told when it happens, as memory.events of v2 changes", async () => {
  const container = await bed.container(["sleep", "60"]);
  const oomFile = join(container.dir, "memory.events");
  await writeFile(oomFile, "low 0\noom 0\noom_kill 0\noom_group_kill 0\n");
  const slot = await bed.shim.prepareMonitor({ newNetns: false });
  const { monitor } = await slot.start({ ...container, oomFile });
  const words = wordsOf(monitor);
  await writeFile(oomFile, "low 0\noom 5\noom_kill 0\noom_group_kill 0\n"); // short, and nobody killed
  const status = await monitor.status();
  assert.deepEqual({ words, oom: status.state === "running" && status.oomKilled }, { words: [], oom: false });
  await writeFile(oomFile, "low 0\noom 5\noom_kill 1\noom_group_kill 0\n");
  while (words.length < 1) await sleep(5);
  await writeFile(oomFile, "low 0\noom 9\noom_kill 3\noom_group_kill 0\n");
  while (words.length < 2) await sleep(5);
  const after = await monitor.status();
  assert.equal(after.state === "running" && after.oomKilled, true);
  await monitor.signal(9);
  assert.equal((await monitor.exited).oomKilled, true);
  await monitor.gone;
  assert.deepEqual(words, [true, true]);
});

test("start: kills in groups that a container made below its own count too, where v1 counts them apart", async () => {
  const container = await bed.container(["true"]);
  const nested = join(container.dir, "group/one/two");
  await mkdir(nested, { recursive: true });
  const oomFile = join(container.dir, "group/memory.oom_control");
  await writeFile(oomFile, "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
  await writeFile(join(nested, "memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  const slot = await bed.shim.prepareMonitor({ newNetns: false });
  const { monitor } = await slot.start({ ...container, oomFile });
  const words = wordsOf(monitor);
  assert.equal((await monitor.exited).oomKilled, true);
  assert.deepEqual(words, [true]);
  await monitor.gone;
});

test("start: a mount that cannot be made names operation and path", async () => {
  const mounts = [
    { op: "mkdir", path: join(bed.dir, "made"), mode: 0o700 } as const,
    { op: "bind", source: "/no/such/source", target: join(bed.dir, "made"), flags: [] } as const,
  ];
  const start = await bed.container(["true"], { mounts });
  const slot = await bed.shim.prepareMonitor({ newNetns: false });
  await assert.rejects(slot.start(start), (error) => {
    assert.ok(error instanceof StartFailure);
    assert.equal(error.stage, "mount");
    assert.match(error.message, /operation 2 \(bind .*made\): No such file/);
    return true;
  });
});

test("start: a symlink where a folder must be is refused, and not followed", async () => {
  const elsewhere = join(bed.dir, "elsewhere");
  await mkdir(elsewhere);
  await symlink(elsewhere, join(bed.dir, "link"));
  const mounts = [{ op: "mkdir", path: join(bed.dir, "link"), mode: 0o755 } as const];
  const slot = await bed.shim.prepareMonitor({ newNetns: false });
  await assert.rejects(
    slot.start(await bed.container(["true"], { mounts })),
    /operation 1 \(mkdir .*link\): Not a dir/,
  );
});

test("start: an overlay of 120 layers, seen by nobody else", async () => {
  const lowers: string[] = [];
  for (let i = 0; i < 119; i++) {
    const layer = join(bed.dir, "layers", `${i}`);
    await mkdir(layer, { recursive: true });
    await writeFile(join(layer, `file-${i}`), `${i}`);
    lowers.push(layer);
  }
  lowers.push(bed.rootfs);
  const target = join(bed.dir, "merged");
  const [upper, work] = [join(bed.dir, "upper"), join(bed.dir, "work")];
  for (const folder of [target, upper, work]) await mkdir(folder);
  const mounts = [{ op: "overlay", target, lowers, upper, work, options: [] } as const];
  const { attachment, monitor } = await bed.start(
    ["sh", "-c", "ls / | wc -l; cat /file-0 /file-118; echo new > /written"],
    {
      mounts,
      rootPath: target,
    },
  );
  assert.equal((await readAll(attachment)).stdout, "124\n0118");
  await monitor.gone;
  assert.equal(await readFile(join(upper, "written"), "utf8"), "new\n");
  assert.equal(readFileSync("/proc/self/mountinfo", "utf8").includes(target), false);
});

test("slot: vanishes with its network namespace when it is not needed", async () => {
  const slot = await bed.shim.prepareMonitor({ newNetns: true });
  const { stdout } = await bed.shim.runToEnd({ argv: ["ip", "-o", "link"], netns: `/proc/${slot.pid}/ns/net` });
  assert.match(Buffer.from(stdout).toString(), /^1: lo: <LOOPBACK,UP,LOWER_UP>/);
  await slot[Symbol.asyncDispose]();
  await processGone(slot.pid);
});

test("slot: a start that its daemon gives up before the run leaves nothing, also when the daemon is lost", async () => {
  const start = await bed.container(["sleep", "100"]);
  const slot = await bed.shim.prepareMonitor({ newNetns: false });
  const giveUp = slot.start(start, async () => {
    throw new Error("changed my mind");
  });
  await assert.rejects(giveUp, { message: "changed my mind" });
  await processGone(slot.pid);
  assert.equal(existsSync(join(start.dir, "monitor.sock")), false);
  assert.equal(existsSync(start.pidFile), false);
});

test("slot: a daemon lost while the runtime runs changes nothing", async () => {
  const start = await bed.container(["sh", "-c", "echo alone; exit 8"]);
  const slot = await bed.shim.prepareMonitor({ newNetns: false });
  const lost = slot.start(start, async () => {
    setImmediate(() => void slot[Symbol.asyncDispose]()); // as if killed: the connection breaks right after GO
  });
  await lost.catch(() => undefined);
  for (let i = 0; i < 200 && (await bed.shim.readExitRecord(start.dir)) === undefined; i++) await sleep(10);
  assert.equal((await bed.shim.readExitRecord(start.dir))?.code, 8);
  await processGone(slot.pid);
});

test("attach: stdin reaches the container and its end ends it, with a megabyte on the way", async () => {
  const { attachment, monitor } = await bed.start(["sh", "-c", "sleep 0.2; wc -c"], {
    stdinOpen: true,
    stdinOnce: true,
  });
  const piece = Buffer.alloc(100_000, "x");
  for (let i = 0; i < 10; i++) await attachment.write(piece);
  await attachment.endInput();
  assert.equal((await readAll(attachment)).stdout, "1000000\n");
  assert.equal((await monitor.exited).code, 0);
});

test("attach: when the client that stdin was opened for is lost, stdin ends; a reader's leaving means nothing", async () => {
  const { attachment, monitor } = await bed.start(["cat"], { stdinOpen: true, stdinOnce: true });
  const reader = await monitor.attach({ streams: ["stdout"], stdin: false, from: "now", throttle: false });
  await reader[Symbol.asyncDispose]();
  await sleep(50);
  assert.equal((await monitor.status()).state, "running");
  await attachment[Symbol.asyncDispose]();
  assert.equal((await monitor.exited).code, 0);
});

test("attach: several clients see the same, each from its own place", async () => {
  const { attachment, monitor } = await bed.start(["sh", "-c", "echo one; read line; echo two $line"], {
    stdinOpen: true,
  });
  const first = attachment.output[Symbol.asyncIterator]();
  assert.equal((await first.next()).done, false);
  const fromStart = await monitor.attach({
    streams: ["stdout"],
    stdin: true,
    from: { segment: 1, offset: 0 },
    throttle: true,
  });
  const fromNow = await monitor.attach({ streams: ["stdout"], stdin: false, from: "now", throttle: true });
  await fromStart.write(Buffer.from("go\n"));
  assert.equal((await readAll(fromStart)).stdout, "one\ntwo go\n");
  assert.equal((await readAll(fromNow)).stdout, "two go\n");
});

test("tty: size, resize, echo, and the end of input by the terminal", async () => {
  const { attachment, monitor } = await bed.start(["sh", "-c", "stty size; read x; stty size; echo got $x"], {
    tty: true,
    stdinOpen: true,
    size: { rows: 33, columns: 77 },
    process: { consoleSize: { height: 33, width: 77 } },
  });
  const items = attachment.output[Symbol.asyncIterator]();
  let text = "";
  const until = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(text)) {
      const next = await items.next();
      if (next.done || next.value.kind !== "output") break;
      text += Buffer.from(next.value.chunk.bytes).toString();
    }
    assert.match(text, pattern);
  };
  await until(/33 77\r\n/);
  await monitor.resize({ rows: 44, columns: 88 });
  await attachment.write(Buffer.from("word\r"));
  await until(/word\r\n44 88\r\ngot word\r\n/);
  assert.equal((await monitor.exited).code, 0);
});

test("signal: reaches init; afterwards there is a conflict; status tells the facts", async () => {
  const { monitor, pid } = await bed.start(["sleep", "100"]);
  const status = await monitor.status();
  assert.equal(status.state, "running");
  assert.equal(status.state === "running" && status.pid, pid);
  await monitor.signal(9);
  const exit = await monitor.exited;
  assert.deepEqual([exit.code, exit.signal], [null, 9]);
  await monitor.gone;
  await assert.rejects(monitor.signal(9), { kind: "unavailable" });
});

test("exec: streams, stdin, exit codes, signals, and a program that is not there", async () => {
  const { monitor, start } = await bed.start(["sleep", "100"]);
  const session = await monitor.exec(
    await bed.execOf(start, ["sh", "-c", "cat; echo err >&2; exit 5"], { stdin: true }),
  );
  await session.write(Buffer.from("hello"));
  await session.endInput();
  let text = "";
  for await (const chunk of session.output) text += `${chunk.stream}:${Buffer.from(chunk.bytes).toString()} `;
  assert.equal(text, "stdout:hello stderr:err\n ");
  assert.deepEqual(await session.ended, { code: 5, signal: null });
  const killed = await monitor.exec(await bed.execOf(start, ["sh", "-c", "kill -9 $$"]));
  assert.deepEqual(await killed.ended, { code: null, signal: 9 });
  await assert.rejects(monitor.exec(await bed.execOf(start, ["/no/such"])), { kind: "notFound" });
  for (let i = 0; i < 10; i++) {
    const quick = await monitor.exec(await bed.execOf(start, ["true"], { discardOutput: true }));
    assert.deepEqual(await quick.ended, { code: 0, signal: null });
  }
});

test("exec: a terminal of its own, resized while its input is stuck", async () => {
  const { monitor, start } = await bed.start(["sleep", "100"]);
  const session = await monitor.exec(
    await bed.execOf(start, ["sh", "-c", "sleep 0.1; stty size; sleep 0.3; stty size; read x; echo got $x"], {
      tty: true,
      stdin: true,
      size: { rows: 10, columns: 20 },
    }),
  );
  await sleep(200);
  await session.resize({ rows: 11, columns: 21 });
  await session.write(Buffer.from("abc\r"));
  let text = "";
  for await (const chunk of session.output) text += Buffer.from(chunk.bytes).toString();
  assert.match(text, /10 20\r\n/);
  assert.match(text, /11 21\r\n/);
  assert.match(text, /got abc\r\n/);
  assert.equal((await session.ended).code, 0);
});

test("exec: goes on when its client leaves, and orphans are reaped", async () => {
  const { monitor, start, slot } = await bed.start(["sleep", "100"]);
  const session = await monitor.exec(await bed.execOf(start, ["sh", "-c", "yes | head -c 2000000; touch /tmp/done"]));
  await session[Symbol.asyncDispose]();
  assert.deepEqual(await session.ended, { code: 0, signal: null });
  const marker = join(bed.rootfs, "tmp/done");
  for (let i = 0; i < 100 && !existsSync(marker); i++) await sleep(20);
  assert.ok(existsSync(marker));
  await sleep(50);
  const children = readFileSync(`/proc/${slot.pid}/task/${slot.pid}/children`, "utf8").trim().split(" ");
  assert.equal(children.length, 1);
});

test("monitor: lives on when the daemon's connection is lost, and can be found again", async () => {
  const { monitor, start, attachment } = await bed.start(["sh", "-c", "sleep 0.3; echo late; exit 4"]);
  await attachment[Symbol.asyncDispose]();
  await monitor[Symbol.asyncDispose]();
  const found = await bed.shim.openMonitor(start.dir);
  assert.ok(found);
  const again = await found.attach({
    streams: ["stdout"],
    stdin: false,
    from: { segment: 1, offset: 0 },
    throttle: true,
  });
  assert.equal((await readAll(again)).stdout, "late\n");
  assert.equal((await found.exited).code, 4);
  await found.gone;
  assert.equal((await bed.shim.readExitRecord(start.dir))?.code, 4);
});

test("monitor: killed, it is reported as unavailable", async () => {
  const { monitor, start, slot, pid } = await bed.start(["sleep", "100"]);
  process.kill(slot.pid, "SIGKILL");
  await assert.rejects(monitor.exited, { kind: "unavailable" });
  await monitor.gone;
  assert.equal(await bed.shim.openMonitor(start.dir), undefined);
  process.kill(pid, "SIGKILL");
  await bed.shim.runToEnd({ argv: [...start.deleteArgv] });
});

test("monitor: costs less than half a megabyte", async () => {
  const { slot } = await bed.start(["sleep", "100"]);
  const rollup = readFileSync(`/proc/${slot.pid}/smaps_rollup`, "utf8");
  const privateKb = [...rollup.matchAll(/^Private_\w+:\s+(\d+) kB/gm)].reduce(
    (sum, match) => sum + Number(match[1]),
    0,
  );
  if (process.env["SLIPWAY_SHIM_KIND"] === undefined) assert.ok(privateKb < 512, `${privateKb} kB`);
  assert.ok(privateKb > 0);
});

test("tty: the last words before the end are never lost", async () => {
  for (let i = 0; i < 40; i++) {
    const { attachment, monitor } = await bed.start(["echo", `last words ${i}`], { tty: true });
    assert.equal((await readAll(attachment)).stdout, `last words ${i}\r\n`);
    await monitor.gone;
  }
});

async function processGone(pid: number): Promise<void> {
  for (let i = 0; i < 200 && existsSync(`/proc/${pid}`); i++) await sleep(10);
  assert.equal(existsSync(`/proc/${pid}`), false);
}
