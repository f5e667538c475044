import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isFault } from "#core/fault";
import type { AttachOptions } from "../containers.ts";
import { type Bed, openBed, readAll } from "../testing/bed.ts";

let bed: Bed;
before(async () => {
  bed = await openBed();
});
after(async () => await bed[Symbol.asyncDispose]());

const both: AttachOptions = { streams: ["stdout", "stderr"], stdin: true, logs: false, stream: true };

test("attach: before the start, and not a byte is lost", async () => {
  const id = await bed.create({ command: ["sh", "-c", "echo first; echo second >&2"] });
  const sessions = await Promise.all([1, 2, 3].map(async () => await bed.containers.attach(id, both)));
  const outputs = sessions.map(async (session) => await readAll(session));
  await bed.containers.start(id);
  for (const output of outputs) assert.deepEqual(await output, { stdout: "first\n", stderr: "second\n" });
});

test("attach: stdin reaches the container, and its end ends it", async () => {
  const id = await bed.create({ command: ["cat"], stdinOpen: true, stdinOnce: true });
  const session = await bed.containers.attach(id, both);
  const output = readAll(session);
  const writing = session.write(Buffer.from("early\n")); // waits for the start
  await bed.containers.start(id);
  await writing;
  await session.write(Buffer.from("late\n"));
  await session.endInput();
  assert.equal((await output).stdout, "early\nlate\n");
  const { result } = await bed.containers.wait(id, "not-running", AbortSignal.timeout(5000));
  assert.equal((await result).exitCode, 0);
});

test("attach: a start that fails ends the sessions that waited", async () => {
  const id = await bed.create({ command: ["nope"] });
  const output = readAll(await bed.containers.attach(id, both));
  await assert.rejects(bed.containers.start(id), /executable file not found/);
  assert.deepEqual(await output, { stdout: "", stderr: "" });
});

test("attach: so does a removal", async () => {
  const id = await bed.create({ command: ["true"] });
  const output = readAll(await bed.containers.attach(id, both));
  await bed.containers.remove(id, { force: false, volumes: false });
  assert.deepEqual(await output, { stdout: "", stderr: "" });
});

test("attach: detach keys on a terminal leave the container running", async () => {
  const id = await bed.create({ command: ["cat"], tty: true, stdinOpen: true });
  const session = await bed.containers.attach(id, { ...both, detachKeys: "ctrl-a,x" });
  await bed.containers.start(id);
  bed.events.length = 0;
  await session.write(Buffer.from("hi\n"));
  let seen = "";
  for await (const item of session.output) {
    assert.ok("bytes" in item);
    seen += Buffer.from(item.bytes).toString();
    if (seen.endsWith("hi\r\nhi\r\n")) await session.write(Buffer.from("\x01x")); // the output then ends
  }
  assert.equal(seen, "hi\r\nhi\r\n");
  assert.ok(bed.events.some((event) => event.action === "detach" && event.actorId === id));
  assert.equal(bed.containers.find(id).state.status, "running");
  await bed.containers.remove(id, { force: true, volumes: false });
});

test("attach: a terminal is resized", async () => {
  const id = await bed.create({ command: ["sh", "-c", "read go; stty size"], tty: true, stdinOpen: true });
  const session = await bed.containers.attach(id, both);
  const output = readAll(session);
  await bed.containers.start(id);
  await bed.containers.resize(id, { rows: 41, columns: 123 });
  await session.write(Buffer.from("go\n"));
  assert.match((await output).stdout, /41 123/);
});

test("attach: replays the log and follows", async () => {
  const id = await bed.create({ command: ["sh", "-c", "echo before; read go; echo after"], stdinOpen: true });
  await bed.containers.start(id);
  const live = await bed.containers.attach(id, both);
  await untilLogged(id);
  const replaying = await bed.containers.attach(id, { ...both, logs: true });
  const output = readAll(replaying);
  await live.write(Buffer.from("go\n"));
  assert.equal((await output).stdout, "before\nafter\n");
  const past = await bed.containers.attach(id, { ...both, logs: true, stream: false });
  assert.equal((await readAll(past)).stdout, "before\nafter\n");
});

test("attach: refused while paused, and for keys that are none", async () => {
  const id = await bed.create({ command: ["sleep", "100"] });
  await bed.containers.start(id);
  await assert.rejects(bed.containers.attach(id, { ...both, detachKeys: "ctrl-1" }), (error) =>
    isFault(error, "invalid"),
  );
  await bed.containers.pause(id);
  await assert.rejects(
    bed.containers.attach(id, both),
    (error) => isFault(error, "conflict") && /is paused, unpause the container before attach/.test(error.message),
  );
});

async function untilLogged(id: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    for await (const _line of bed.containers.logs(
      id,
      { streams: ["stdout"], follow: false },
      AbortSignal.timeout(5000),
    ))
      return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
