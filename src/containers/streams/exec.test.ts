import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isFault } from "#core/fault";
import type { ExecSpec } from "../containers.ts";
import { type Bed, openBed, readAll } from "../testing/bed.ts";

let bed: Bed;
let id: string;
before(async () => {
  bed = await openBed();
  id = await bed.create({ command: ["sleep", "1000"], env: ["OWN=1", "PATH=/bin"], name: "target" });
  await bed.containers.start(id);
});
after(async () => await bed[Symbol.asyncDispose]());

const plain: ExecSpec = {
  command: ["true"],
  tty: false,
  attach: { stdin: false, stdout: true, stderr: true },
  env: [],
  user: "",
  workingDir: "",
  privileged: false,
};

async function run(spec: Partial<ExecSpec>): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const execId = await bed.containers.createExec(id, { ...plain, ...spec });
  const session = await bed.containers.startExec(execId, { detach: false, tty: spec.tty ?? false });
  assert.ok(session !== undefined);
  const output = await readAll(session);
  const { state } = bed.containers.inspectExec(execId);
  assert.equal(state.status, "exited");
  return { exitCode: state.status === "exited" ? state.exitCode : -1, ...output };
}

test("exec: streams, exit code, and the code is there when the output ends", async () => {
  const result = await run({ command: ["sh", "-c", "echo out; echo err >&2; exit 5"] });
  assert.deepEqual(result, { exitCode: 5, stdout: "out\n", stderr: "err\n" });
});

test("exec: environment, user and working folder", async () => {
  const command = ["sh", "-c", 'echo "$OWN $MORE $HOME"; id; pwd; grep CapEff /proc/self/status'];
  const { stdout } = await run({ command, env: ["MORE=2"], user: "ana:extra", workingDir: "/tmp" });
  assert.equal(
    stdout,
    "1 2 /home/ana\nuid=1000(ana) gid=77(extra) groups=77(extra)\n/tmp\nCapEff:\t0000000000000000\n",
  );
});

test("exec: privileged has every capability of the daemon, others the container's", async () => {
  const command = ["grep", "CapEff", "/proc/self/status"];
  assert.match((await run({ command })).stdout, /a80425fb/);
  assert.match((await run({ command, privileged: true })).stdout, /000001ff/);
});

test("exec: stdin to its end", async () => {
  const execId = await bed.containers.createExec(id, {
    ...plain,
    command: ["cat"],
    attach: { ...plain.attach, stdin: true },
  });
  const session = await bed.containers.startExec(execId, { detach: false, tty: false });
  assert.ok(session !== undefined);
  const output = readAll(session);
  await session.write(Buffer.from("one\n"));
  await session.write(Buffer.from("two\n"));
  await session.endInput();
  assert.equal((await output).stdout, "one\ntwo\n");
});

test("exec: a terminal with its size", async () => {
  // crun hands the terminal over and starts the program at once: the size is there a moment later, as under Docker.
  const command = ["sh", "-c", "until stty size 2>/dev/null; do sleep 0.01; done"];
  const execId = await bed.containers.createExec(id, { ...plain, command, tty: true });
  const session = await bed.containers.startExec(execId, { detach: false, tty: true, size: { rows: 31, columns: 97 } });
  assert.ok(session !== undefined);
  assert.equal((await readAll(session)).stdout, "31 97\r\n");
});

test("exec: 127 and 126 with Docker's words", async () => {
  const cases: [string, number, RegExp][] = [
    [
      "nope",
      127,
      /^OCI runtime exec failed: exec failed: .*exec: "nope": executable file not found in \$PATH: unknown$/,
    ],
    ["/etc/plain", 126, /exec: "\/etc\/plain": permission denied: unknown$/],
  ];
  for (const [program, exitCode, message] of cases) {
    const execId = await bed.containers.createExec(id, { ...plain, command: [program] });
    await assert.rejects(
      bed.containers.startExec(execId, { detach: false, tty: false }),
      (error) => isFault(error, "invalid") && message.test(error.message),
    );
    const { state } = bed.containers.inspectExec(execId);
    assert.ok(state.status === "exited" && state.exitCode === exitCode);
  }
});

test("exec: detached ones run on their own, and cannot be started twice", async () => {
  const execId = await bed.containers.createExec(id, { ...plain, command: ["sh", "-c", "sleep 0.2; exit 3"] });
  assert.equal(await bed.containers.startExec(execId, { detach: true, tty: false }), undefined);
  assert.equal(bed.containers.inspectExec(execId).state.status, "running");
  assert.deepEqual(bed.containers.find(id).execIds, [execId]);
  await assert.rejects(bed.containers.startExec(execId, { detach: true, tty: false }), (error) =>
    isFault(error, "conflict"),
  );
  await until(() => bed.containers.inspectExec(execId).state.status === "exited");
  const { state } = bed.containers.inspectExec(execId);
  assert.ok(state.status === "exited" && state.exitCode === 3);
});

test("exec: events carry the command, the exec and its code", async () => {
  bed.events.length = 0;
  await run({ command: ["sh", "-c", "exit 2"] });
  const events = bed.events.filter((event) => event.action.startsWith("exec_"));
  assert.deepEqual(
    events.map((event) => event.action),
    ["exec_create: sh -c exit 2", "exec_start: sh -c exit 2", "exec_die"],
  );
  assert.equal(events[2]?.attributes["exitCode"], "2");
  assert.equal(new Set(events.map((event) => event.attributes["execID"])).size, 1);
});

test("exec: unknown execs, paused and stopped containers", async () => {
  const { containers } = bed;
  assert.throws(
    () => containers.inspectExec("feed"),
    (error) => isFault(error, "notFound") && error.message === "No such exec instance: feed",
  );
  await containers.pause(id);
  await assert.rejects(
    containers.createExec(id, plain),
    (error) =>
      isFault(error, "conflict") && error.message === `container ${id} is paused, unpause the container before exec`,
  );
  await containers.unpause(id);
  const idle = await bed.create({ command: ["true"] });
  await assert.rejects(
    containers.createExec(idle, plain),
    (error) => isFault(error, "conflict") && error.message === `container ${idle} is not running`,
  );
});

test("exec: dies with its container, and says so", async () => {
  const other = await bed.create({ command: ["sleep", "1000"] });
  await bed.containers.start(other);
  const execId = await bed.containers.createExec(other, { ...plain, command: ["sleep", "1000"] });
  const session = await bed.containers.startExec(execId, { detach: false, tty: false });
  assert.ok(session !== undefined);
  const output = readAll(session);
  await bed.containers.kill(other);
  await output;
  await until(() => bed.containers.inspectExec(execId).state.status === "exited");
  const { state } = bed.containers.inspectExec(execId);
  assert.ok(state.status === "exited" && state.exitCode === 137);
});

async function until(holds: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 200 && !holds(); attempt++) await new Promise((resolve) => setTimeout(resolve, 25));
  assert.ok(holds());
}
