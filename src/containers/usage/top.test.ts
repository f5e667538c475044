import assert from "node:assert/strict";
import { test } from "node:test";
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
