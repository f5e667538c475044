import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, test } from "node:test";
import { WebSocket } from "ws";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";
import { mustRun } from "#fixtures/program";

let daemon: TestDaemon;
let folder: string;

before(async () => {
  [daemon, folder] = await Promise.all([startDaemon({ busybox: true }), mkdtemp(join(tmpdir(), "slipway-versions-"))]);
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function created(version: string, body: object): Promise<string> {
  const answer = await daemon.api("POST", `/v${version}/containers/create`, { Image: "busybox", ...body });
  assert.equal(answer.status, 201, answer.text);
  return answer.body.Id as string;
}

test("read-only binds: all the way down from API 1.44 on, at the top alone before", async () => {
  const top = join(folder, "top");
  const below = join(top, "below");
  await mkdir(below, { recursive: true });
  await mustRun("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", below]);
  try {
    for (const [version, canWrite] of [
      ["1.43", true],
      ["1.44", false],
    ] as const) {
      const id = await created(version, {
        Cmd: ["sh", "-c", "touch /t/x; touch /t/below/x"],
        HostConfig: { Binds: [`${top}:/t:ro`], NetworkMode: "none" },
      });
      const { stderr } = await daemon.docker("start", "-a", id);
      assert.match(stderr, /\/t\/x: Read-only file system/);
      assert.equal(/\/t\/below\/x: Read-only file system/.test(stderr), !canWrite, `${version}: ${stderr}`);
      await said(daemon, "rm", id);
    }
  } finally {
    await mustRun("umount", [below]);
  }
});

test("attach by WebSocket: input and output of a real container, both streams as they are, its end is the end", async () => {
  const id = await created("1.51", {
    Cmd: ["sh", "-c", "read line; echo got $line; echo oops >&2; cat; exit 3"],
    OpenStdin: true,
    StdinOnce: true,
    HostConfig: { NetworkMode: "none" },
  });
  const path = `/v1.51/containers/${id}/attach/ws?stream=1&stdin=1&stdout=1&stderr=1`;
  const socket = new WebSocket(`ws+unix://${daemon.socket}:${path}`);
  let output = "";
  socket.on("message", (data: Buffer) => void (output += data.toString("latin1")));
  await once(socket, "open");
  assert.equal((await daemon.api("POST", `/containers/${id}/start`)).status, 204);
  socket.send("hello\n");
  while (!output.includes("oops\n") || !output.includes("hello\n")) await sleep(10);
  assert.equal(output.replace("oops\n", ""), "got hello\n");
  socket.close();
  assert.equal(await said(daemon, "wait", id), "3", "the close ended the input of cat");
  await said(daemon, "rm", id);
});

test("attach by WebSocket: detach keys leave a terminal's container running, logs are replayed", async () => {
  const id = await created("1.51", {
    Cmd: ["sh", "-c", "echo before; exec sleep 60"],
    OpenStdin: true,
    Tty: true,
    HostConfig: { NetworkMode: "none" },
  });
  await said(daemon, "start", id);
  while (!(await said(daemon, "logs", id)).includes("before")) await sleep(10);
  const path = `/containers/${id}/attach/ws?stream=1&stdin=1&stdout=1&logs=1&detachKeys=ctrl-x`;
  const socket = new WebSocket(`ws+unix://${daemon.socket}:${path}`);
  const [first] = (await once(socket, "message")) as [Buffer];
  assert.equal(first.toString(), "before\r\n");
  socket.send("\x18");
  const [code] = await once(socket, "close");
  assert.equal(code, 1000);
  assert.equal(await said(daemon, "inspect", "-f", "{{.State.Running}}", id), "true");
  await said(daemon, "rm", "-f", id);
});

test("stop with t=-1 waits for as long as it takes", async () => {
  const script = "trap 'sleep 1.5; exit 9' TERM; echo ready; while :; do sleep 0.1; done";
  const id = await created("1.51", { Cmd: ["sh", "-c", script], StopTimeout: 1, HostConfig: { NetworkMode: "none" } });
  await said(daemon, "start", id);
  while (!(await said(daemon, "logs", id)).includes("ready")) await sleep(10);
  assert.equal((await daemon.api("POST", `/containers/${id}/stop?t=-1`)).status, 204);
  assert.equal(await said(daemon, "inspect", "-f", "{{.State.ExitCode}}", id), "9");
  assert.equal((await daemon.api("POST", `/containers/${id}/stop`)).status, 304);
  await said(daemon, "rm", id);
});

test("ids, names and prefixes: with a slash or without; two that begin alike are refused", async () => {
  const id = await created("1.51", { Cmd: ["true"] });
  const { body } = await daemon.api("GET", `/containers/${id}/json`);
  const name = (body.Name as string).slice(1);
  for (const way of [id, id.slice(0, 12), id.slice(0, 5), name, `%2F${name}`, `/${name}`]) {
    const answer = await daemon.api("GET", `/containers/${way}/json`);
    assert.equal(answer.body.Id, id, way);
  }
  const others: string[] = [];
  while (!others.some((other) => other[0] === id[0])) others.push(await created("1.24", { Cmd: ["true"] }));
  const ambiguous = await daemon.api("GET", `/containers/${id[0]}/json`);
  assert.ok(ambiguous.status === 400 || ambiguous.status === 404, ambiguous.text);
  assert.match(ambiguous.body.message, /multiple|ambiguous|more than one/i);
  for (const each of [id, ...others]) assert.equal((await daemon.api("DELETE", `/containers/${each}`)).status, 204);
});

test("info: one id for a data root, also after the daemon's end; the file system below it", async () => {
  const { body } = await daemon.api("GET", "/info");
  await daemon.stop();
  await daemon.start();
  assert.equal((await daemon.api("GET", "/info")).body.ID, body.ID);
  const [name, value] = body.DriverStatus[0] as [string, string];
  assert.equal(name, "Backing Filesystem");
  assert.match(value, /^[a-z0-9]+$/);
});
