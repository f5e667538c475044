import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { machineCgroupLayout } from "../../host/cgroups.ts";
import { openBed } from "../testing/bed.ts";
import { psArguments } from "./top.ts";

test("psArguments: cut at blanks, -ef when there are none, no column that calls itself PID", () => {
  assert.deepEqual(psArguments(" "), ["-ef"]);
  assert.deepEqual(psArguments("-eo  user,pid"), ["-eo", "user,pid"]);
  assert.deepEqual(psArguments("-o pid=PID"), ["-o", "pid=PID"]);
  assert.throws(() => psArguments("-o ppid=PID"), /specifying "ppid=PID" is not allowed/);
});

test("top: every process of the container, an exec's too, with any arguments of ps", async () => {
  await using bed = await openBed();
  const id = await bed.create({ command: ["sh", "-c", "sleep 1000 & exec sleep 2000"] });
  await bed.containers.start(id);
  const execId = await bed.containers.createExec(id, {
    command: ["sleep", "3000"],
    tty: false,
    attach: { stdin: false, stdout: false, stderr: false },
    env: [],
    user: "1000",
    workingDir: "",
    privileged: false,
  });
  await bed.containers.startExec(execId, { detach: true, tty: false });
  const commandsOf = async (psArgs: string): Promise<string[]> => {
    const { titles, processes } = await bed.containers.top(id, psArgs);
    return processes.map((row) => row[titles.indexOf("CMD")] ?? row[titles.indexOf("COMMAND")] ?? "").toSorted();
  };
  const end = Date.now() + 10_000;
  while ((await commandsOf("")).length < 3 && Date.now() < end);
  const all = ["sleep 1000", "sleep 2000", "sleep 3000"];
  assert.deepEqual(await commandsOf(""), all);
  assert.deepEqual(await commandsOf("-o pid,cmd"), all);
  assert.equal((await commandsOf("axf -o pid,cmd")).length, 3); // ps refuses this together with a list of pids
  const { titles, processes } = await bed.containers.top(id, "-eo uid,pid");
  assert.deepEqual(titles, ["UID", "PID"]);
  assert.deepEqual(
    processes.map(([uid]) => Number(uid)).toSorted((a, b) => a - b),
    [0, 0, 1000],
  );
  await assert.rejects(bed.containers.top(id, "-eo uid"), /Couldn't find PID field in ps output/);
  await assert.rejects(bed.containers.top(id, "-o nonsense"), /unknown user-defined format specifier "nonsense"/);
  await bed.containers.stop(id, { timeoutSeconds: 0 });
  await assert.rejects(bed.containers.top(id, ""), new RegExp(`container ${id} is not running`));
});

test("top, stats: what a container put into groups of its own is still the container's", async () => {
  await using bed = await openBed();
  const id = await bed.create({ command: ["sh", "-c", "sleep 1000 & exec sleep 2000"] });
  await bed.containers.start(id);
  const commands = async (): Promise<string[]> =>
    (await bed.containers.top(id, "-o pid,args")).processes.map(([, command = ""]) => command).toSorted(byText);
  const end = Date.now() + 10_000;
  while ((await commands()).length < 2 && Date.now() < end);
  const { processes } = await bed.containers.top(id, "-o pid,args");
  const [pid = ""] = processes.find((row) => row[1] === "sleep 1000") ?? [];
  const group = join(machineCgroupLayout().mounts.get("pids") ?? "", bed.host.cgroups.pathOf(id), "of-its-own");
  mkdirSync(group);
  writeFileSync(join(group, "cgroup.procs"), pid);
  assert.deepEqual(await commands(), ["sleep 1000", "sleep 2000"]);
  for await (const { usage } of bed.containers.stats(id, { once: true, oneShot: true }, AbortSignal.timeout(10_000)))
    assert.equal(usage?.pids.current, 2);
  await bed.containers.remove(id, { force: true, volumes: false });
  await waitUntilGone(dirname(group));
});

function byText(left: string, right: string): number {
  return left < right ? -1 : 1;
}

async function waitUntilGone(path: string): Promise<void> {
  for (let tries = 0; existsSync(path) && tries < 500; tries++) await sleep(10);
  assert.equal(existsSync(path), false);
}
