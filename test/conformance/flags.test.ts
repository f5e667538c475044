import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { dockerFlags, dockerProgram } from "#fixtures/docker";
import { said } from "#fixtures/expect";
import { shows, startOnTerminal, startProgram } from "#fixtures/live-program";
import { type FlagRow, runFlags } from "#fixtures/run-flags";

const folder = await mkdtemp(join(tmpdir(), "slipway-flags-"));
const cgroupParent = `/slipway-flags-${process.pid}`;
const rows = runFlags({ folder, cgroupParent, blockDevice: await blockDevice() });
/** These need a terminal or signals: tests of their own below. */
const ofTheirOwn = new Set(["detach-keys", "sig-proxy"]);

let daemon: TestDaemon;
before(async () => {
  await writeFile(join(folder, "env"), "FROM_FILE=a b\n");
  await writeFile(join(folder, "labels"), "from-file=yes\n");
  daemon = await startDaemon({ busybox: true });
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
  for (const controller of await readdir("/sys/fs/cgroup")) {
    await rmdir(join("/sys/fs/cgroup", controller, cgroupParent)).catch(() => {});
  }
});

async function blockDevice(): Promise<string> {
  const names = await readdir("/sys/block");
  return `/dev/${names.find((name) => /^(?:[vsx]d|nvme)/.test(name)) ?? names[0] ?? "none"}`;
}

test("every flag of docker run and docker create has a row here", async () => {
  const known = new Set([...Object.keys(rows), ...ofTheirOwn]);
  const ofRun = await dockerFlags("run");
  assert.ok(ofRun.length > 95, ofRun.join(" "));
  assert.deepEqual(
    [...ofRun, ...(await dockerFlags("create"))].filter((flag) => !known.has(flag)),
    [],
  );
});

describe("docker run and create", { concurrency: 3 }, () => {
  for (const [flag, ofFlag] of Object.entries(rows)) {
    for (const [index, row] of ofFlag.entries()) {
      test(`--${flag}: ${row.args.join(" ").replaceAll(folder, "…")}`, async () =>
        await checkRow(`${flag}-${index}`, row));
    }
  }
});

test("docker run --detach-keys: leave a container on its terminal", async () => {
  const terminal = await dockerOnTerminal(
    "run -it --name detached --detach-keys ctrl-a,d busybox sh",
    'echo "code $?"',
  );
  await shows(terminal, /# /);
  const end = shows(terminal, /code \d+/);
  terminal.stdin.write("\u0001d");
  assert.match(await end, /code 0/);
  assert.equal(await said(daemon, "inspect", "-f", "{{.State.Running}}", "detached"), "true");
  await said(daemon, "rm", "-f", "detached");
});

test("docker run --sig-proxy: a signal goes to the container, and does not with =false", async () => {
  const script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done";
  const env = { DOCKER_HOST: `unix://${daemon.socket}` };
  for (const [flag, state] of [
    ["--sig-proxy=true", "exited 7"],
    ["--sig-proxy=false", "running 0"],
  ] as const) {
    const args = ["run", flag, "--name", "signalled", "busybox", "sh", "-c", script];
    const run = startProgram(await dockerProgram(), args, env);
    try {
      await shows(run, /ready/);
      run.kill("SIGTERM");
      if (flag === "--sig-proxy=true") await said(daemon, "wait", "signalled");
      else await sleep(300); // its trap would have ended it
      assert.equal(await said(daemon, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "signalled"), state);
    } finally {
      run.kill("SIGKILL");
      await said(daemon, "rm", "-f", "signalled");
    }
  }
});

async function dockerOnTerminal(command: string, andThen: string): Promise<ReturnType<typeof startOnTerminal>> {
  return startOnTerminal(`${await dockerProgram()} ${command}; ${andThen}`, { DOCKER_HOST: `unix://${daemon.socket}` });
}

async function checkRow(name: string, row: FlagRow): Promise<void> {
  const command = [row.image ?? "busybox", "sh", "-c", row.script ?? "true"];
  const named = row.args.includes("--name") ? [] : ["--name", name];
  const ran = await daemon.dockerWith(
    { ...(row.input !== undefined && { input: row.input }) },
    "run",
    ...named,
    ...row.args,
    ...command,
  );
  const inspected = await daemon.api("GET", `/containers/${name}/json`);
  try {
    if (row.orWarns?.test(ran.stderr) === true) return;
    if (row.says !== undefined) assert.match(ran.stderr, row.says);
    assert.equal(ran.code, row.refusedWith ?? 0, ran.stderr);
    if (row.prints !== undefined) checkText(ran.stdout.trim().replaceAll("\r\n", "\n"), row.prints);
    if (row.writes !== undefined) assert.match(await readFile(row.writes[0], "utf8"), row.writes[1]);
    if (row.isGone === true) assert.equal(inspected.status, 404);
    if (row.shows !== undefined) assert.deepEqual(at(inspected.body, row.shows[0]), row.shows[1]);
    if (row.isOfRunOnly !== true && row.refusedWith === undefined)
      await checkCreate(name, row, command, inspected.body);
  } finally {
    await daemon.api("DELETE", `/containers/${name}?force=1`);
  }
}

/** `docker create` with the same flag makes the same container. */
async function checkCreate(name: string, row: FlagRow, command: readonly string[], ran: unknown): Promise<void> {
  const created = await daemon.docker("create", "--name", `${name}-created`, ...row.args, ...command);
  assert.equal(created.code, 0, created.stderr);
  const { body } = await daemon.api("GET", `/containers/${name}-created/json`);
  try {
    for (const part of ["Config", "HostConfig"])
      assert.deepEqual(comparable(at(body, part)), comparable(at(ran, part)));
  } finally {
    await daemon.api("DELETE", `/containers/${name}-created`);
  }
}

/** Without what comes from the id, and what the clients say of the terminal that they run in. */
function comparable(part: unknown): unknown {
  const { Hostname: hostname, ConsoleSize: _size, StdinOnce: _once, ...rest } = part as Record<string, unknown>;
  const isOwn = typeof hostname === "string" && /^[0-9a-f]{12}$/.test(hostname);
  return Object.fromEntries(
    Object.entries({ ...rest, ...(!isOwn && { Hostname: hostname }) }).filter(([name]) => !name.startsWith("Attach")),
  );
}

function checkText(text: string, expected: string | RegExp): void {
  if (typeof expected === "string") assert.equal(text, expected);
  else assert.match(text, expected);
}

function at(value: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((inner, name) => (inner as Record<string, unknown> | undefined)?.[name], value);
}
