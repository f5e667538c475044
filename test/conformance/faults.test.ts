import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { settle, takeInventory } from "#fixtures/inventory";
import { mustRun } from "#fixtures/program";

/** What a container of this daemon would leave. */
function tracesOf({ instance, roots }: TestDaemon): RegExp {
  const root = `(?:${roots.execRoot}|${roots.dataRoot})`;
  return new RegExp(`^mount .*${root}|^cgroup .*${instance}/|^process \\d+ (?:/\\S*/)?crun .*${root}`);
}

async function stateOf(daemon: TestDaemon, name: string): Promise<string> {
  return await said(daemon, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", name);
}

async function pidOf(daemon: TestDaemon, name: string): Promise<number> {
  return Number(await said(daemon, "inspect", "-f", "{{.State.Pid}}", name));
}

async function parentOf(pid: number): Promise<number> {
  return Number(/^PPid:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** A zombie that nobody has looked at does not. */
async function lives(pid: number): Promise<boolean> {
  return /^State:\s+[^ZX]/m.test(await readFile(`/proc/${pid}/status`, "utf8").catch(() => ""));
}

async function until(what: string, holds: () => Promise<boolean> | boolean, timeoutMs = 20_000): Promise<void> {
  for (const end = Date.now() + timeoutMs; !(await holds()); await sleep(30))
    assert.ok(Date.now() < end, `waited for: ${what}`);
}

async function scratch(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "slipway-faults-"));
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }) };
}

test("kill -9 of a monitor: its container ends and is told so, its policy holds, others do not notice", async () => {
  await using daemon = await startDaemon({ busybox: true });
  await said(daemon, "run", "--rm", "busybox", "true");
  const before = await takeInventory(tracesOf(daemon));
  await said(daemon, "run", "-d", "--name", "other", "busybox", "sleep", "600");
  await said(daemon, "run", "-d", "--name", "plain", "-p", "127.0.0.1::80", "busybox", "sleep", "600");
  await said(daemon, "run", "-d", "--name", "again", "--restart", "always", "busybox", "sleep", "600");
  const first = await pidOf(daemon, "again");
  const waiting = said(daemon, "wait", "plain");
  const attached = daemon.docker("attach", "plain");
  for (const name of ["plain", "again"]) process.kill(await parentOf(await pidOf(daemon, name)), "SIGKILL");
  assert.equal(await waiting, "255"); // how it ended is not known
  assert.notEqual((await attached).code, 0);
  assert.equal(await stateOf(daemon, "plain"), "exited 255");
  await until("its policy starts it again", async () => ![0, first].includes(await pidOf(daemon, "again")));
  assert.equal(await lives(first), false, "two of the same container");
  assert.equal(await said(daemon, "exec", "other", "echo", "unmoved"), "unmoved");
  await said(daemon, "start", "plain");
  assert.equal(await said(daemon, "exec", "plain", "echo", "starts"), "starts");
  await said(daemon, "rm", "-f", "plain", "again", "other");
  assert.deepEqual(await settle(before, tracesOf(daemon)), []);
});

test("kill -9 of the zygote: containers live on, and the next command brings a new one", async () => {
  await using daemon = await startDaemon({ busybox: true });
  await said(
    daemon,
    "run",
    "-d",
    "--name",
    "lives",
    "busybox",
    "sh",
    "-c",
    "trap 'exit 5' TERM; echo up; while :; do sleep 0.1; done",
  );
  const pid = await pidOf(daemon, "lives");
  const zygote = await zygoteOf(daemon);
  process.kill(zygote, "SIGKILL");
  await until("the zygote is gone", async () => !(await lives(zygote)));
  assert.equal(await pidOf(daemon, "lives"), pid);
  assert.equal(await said(daemon, "exec", "lives", "echo", "in it"), "in it");
  assert.equal(await said(daemon, "run", "--rm", "-p", "127.0.0.1::80", "busybox", "echo", "new"), "new");
  assert.notEqual(await zygoteOf(daemon), zygote);
  assert.equal(await said(daemon, "logs", "lives"), "up");
  await said(daemon, "stop", "lives");
  assert.equal(await stateOf(daemon, "lives"), "exited 5");
});

async function zygoteOf({ roots }: TestDaemon): Promise<number> {
  for (const pid of await readdir("/proc")) {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (/slipway-shim\0zygote\0/.test(command) && command.includes(roots.execRoot)) return Number(pid);
  }
  throw new Error("no zygote");
}

/** Runtimes that fail in the middle of a start: the container is made, and never started. */
const brokenRuntimes: Readonly<Record<string, string>> = {
  killed: 'crun "$@"; kill -9 $$',
  fails: 'crun "$@"; exit 3',
  // crun itself dies when it has made the container's process and waits for it.
  torn: 'crun "$@" & pid=$!; sleep 0.01; kill -9 $pid; wait $pid',
};

test("a runtime that is killed between create and start: the start fails in clear words and leaves nothing", async () => {
  await using folder = await scratch();
  const args: string[] = [];
  for (const [name, end] of Object.entries(brokenRuntimes)) {
    const path = join(folder.path, name);
    // `run --detach` becomes `create`; everything else passes.
    const rewrite =
      'n=$#; for word; do shift; case $word in run) word=create;; --detach) continue;; esac; set -- "$@" "$word"; done';
    await writeFile(path, `#!/bin/sh\ncase " $* " in *" run "*) ;; *) exec crun "$@";; esac\n${rewrite}\n${end}\n`);
    await chmod(path, 0o755);
    args.push("--add-runtime", `${name}=${path}`);
  }
  await using daemon = await startDaemon({ busybox: true, args });
  await said(daemon, "run", "--rm", "busybox", "true");
  const before = await takeInventory(tracesOf(daemon));
  for (const name of Object.keys(brokenRuntimes)) {
    const { stderr } = await refused(
      daemon,
      "OCI runtime create failed: ",
      "run",
      "--name",
      name,
      "--runtime",
      name,
      "-p",
      "127.0.0.1::80",
      "busybox",
      "sleep",
      "600",
    );
    assert.doesNotMatch(stderr, /failed: : unknown/, "says nothing");
    assert.match(await stateOf(daemon, name), /^created 12[678]$/);
    assert.match(await said(daemon, "inspect", "-f", "{{.State.Error}}", name), /OCI runtime create failed/);
    await said(daemon, "rm", name);
    assert.deepEqual(await settle(before, tracesOf(daemon)), []);
  }
  assert.equal(await said(daemon, "run", "--rm", "busybox", "echo", "works"), "works");
});

test("the daemon runs out of memory: the kernel kills it, containers live on, the next start takes all up", async (context) => {
  await using daemon = await startDaemon({ busybox: true });
  await said(
    daemon,
    "run",
    "-d",
    "--name",
    "lives",
    "busybox",
    "sh",
    "-c",
    "trap 'exit 5' TERM; while :; do sleep 0.1; done",
  );
  await said(daemon, "run", "-d", "--name", "ends", "busybox", "sh", "-c", "sleep 1; exit 4");
  await said(daemon, "run", "-d", "--name", "returns", "--restart", "always", "busybox", "sleep", "600");
  const before = { lives: await pidOf(daemon, "lives"), returns: await pidOf(daemon, "returns") };
  await using group = await memoryGroup();
  if (group === undefined) return context.skip("no memory controller to limit the daemon with");
  await starve(daemon, group);
  process.kill(before.returns, "SIGKILL"); // nobody sees it now
  await sleep(1000); // so does the end of `ends`
  assert.ok(await lives(before.lives));
  await daemon.start();
  assert.equal(await pidOf(daemon, "lives"), before.lives);
  assert.equal(await stateOf(daemon, "ends"), "exited 4");
  await until("its policy starts it", async () => ![0, before.returns].includes(await pidOf(daemon, "returns")));
  await said(daemon, "stop", "lives");
  assert.equal(await stateOf(daemon, "lives"), "exited 5");
});

/** A group of the test's own with a memory controller, v1 or v2; undefined where there is none. */
async function memoryGroup(): Promise<
  (AsyncDisposable & { readonly path: string; readonly limit: string; readonly events: string }) | undefined
> {
  const v1 = "/sys/fs/cgroup/memory";
  const isV1 = existsSync(join(v1, "memory.limit_in_bytes"));
  const path = join(isV1 ? v1 : "/sys/fs/cgroup", `slipway-faults-${process.pid}`);
  await mkdir(path).catch(() => {});
  const [limit, events] = isV1 ? ["memory.limit_in_bytes", "memory.oom_control"] : ["memory.max", "memory.events"];
  if (!existsSync(join(path, limit))) {
    await rmdir(path).catch(() => {});
    return undefined;
  }
  return {
    path,
    limit: join(path, limit),
    events: join(path, events),
    [Symbol.asyncDispose]: async () => await rmdir(path),
  };
}

/** Takes the daemon's memory away while it is given much to keep: bodies of requests that do not end. */
async function starve(
  daemon: TestDaemon,
  group: { readonly path: string; readonly limit: string; readonly events: string },
): Promise<void> {
  const { pid } = daemon;
  const sockets: Socket[] = [];
  try {
    await writeFile(join(group.path, "cgroup.procs"), String(pid));
    await writeFile(group.limit, String(8 * 1024 * 1024));
    const body = "x".repeat(1024 * 1024);
    const head = `POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${2 * body.length}\r\n\r\n`;
    await until("the kernel kills the daemon", () => {
      const socket = connect(daemon.socket).on("error", () => {});
      socket.write(`${head}"${body}`);
      sockets.push(socket);
      return !existsSync(`/proc/${pid}`);
    });
    assert.match(await readFile(group.events, "utf8"), /^oom_kill [1-9]/m);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

test("a full disk while creating and starting: clear words, nothing half made, and room makes it work again", async () => {
  await using folder = await scratch();
  const [data, run] = [join(folder.path, "data"), join(folder.path, "run")];
  for (const [path, size] of [
    [data, "24m"],
    [run, "4m"],
  ] as const) {
    await mkdir(path);
    await mustRun("mount", ["-t", "tmpfs", "-o", `size=${size},mode=755`, "tmpfs", path]);
  }
  try {
    await using daemon = await startDaemon({
      busybox: true,
      roots: { dataRoot: join(data, "d"), execRoot: join(run, "e"), socket: join(run, "s") },
    });
    await said(daemon, "run", "--rm", "busybox", "true");
    const before = await takeInventory(tracesOf(daemon));
    await said(daemon, "create", "--name", "waits", "-p", "127.0.0.1::80", "busybox", "echo", "started");
    for (const full of [data, run]) {
      await mustRun("sh", ["-c", 'head -c 1000000000 /dev/zero > "$1/ballast" 2>/dev/null || true', "sh", full]);
      const start = await daemon.docker("start", "-a", "waits");
      if (start.code !== 0) assert.match(start.stderr, /no space left on device/i);
      assert.match(await stateOf(daemon, "waits"), start.code === 0 ? /^exited 0$/ : /^created 128$/);
      const create = await daemon.docker("run", "--name", "new", "-p", "127.0.0.1::80", "busybox", "true");
      if (create.code !== 0) assert.match(create.stderr, /no space left on device/i);
      assert.ok(start.code + create.code > 0, `neither failed with ${full} full`);
      assert.deepEqual(await settle(before, tracesOf(daemon)), []);
      await rm(join(full, "ballast"));
      await said(daemon, "rm", "-f", "new");
      assert.equal(await said(daemon, "start", "-a", "waits"), "started");
      assert.equal(await said(daemon, "run", "--rm", "busybox", "echo", "works"), "works");
      await said(daemon, "rm", "waits");
      await said(daemon, "create", "--name", "waits", "-p", "127.0.0.1::80", "busybox", "echo", "started");
    }
    await said(daemon, "rm", "waits");
    assert.equal(await said(daemon, "ps", "-aq"), "");
  } finally {
    for (const path of [data, run]) await mustRun("umount", ["-l", path]);
  }
});
