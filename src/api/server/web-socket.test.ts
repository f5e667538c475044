import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { WebSocket } from "ws";
import { fakeRooms } from "./testing/fake-rooms.ts";
import { parseAnswer, startServer, type TestServer } from "./testing/raw-client.ts";

const all = "stdin=1&stdout=1&stderr=1&stream=1";

/** What a client is sent; text frames with a `t:` before them. */
function connect(server: TestServer, path: string): { socket: WebSocket; got: string[] } {
  const socket = new WebSocket(`ws+unix://${server.path}:${path}`);
  const got: string[] = [];
  socket.on("message", (data: Buffer, isBinary) => void got.push(`${isBinary ? "" : "t:"}${data.toString()}`));
  return { socket, got };
}

async function sessionOf(rooms: ReturnType<typeof fakeRooms>) {
  while (rooms.sessions.length === 0) await new Promise((resolve) => setImmediate(resolve));
  return rooms.sessions[0]!;
}

test("attach/ws: bare binary frames out, messages in, and a normal close at the end", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  const { socket, got } = connect(server, `/v1.51/containers/web/attach/ws?${all}&detachKeys=ctrl-a&logs=1`);
  await once(socket, "open");
  const session = await sessionOf(rooms);
  socket.send("typed ");
  socket.send(Buffer.from([0xff, 0x0a]));
  const large = "x".repeat(300_000);
  session.say("stdout", "out");
  session.say("stderr", "err");
  session.say("stdout", large);
  while (Buffer.concat(session.written).length < 8) await new Promise((resolve) => setImmediate(resolve));
  session.finish();
  const [code] = await once(socket, "close");
  assert.equal(code, 1000);
  assert.deepEqual(got, ["out", "err", large]);
  assert.deepEqual(Buffer.concat(session.written), Buffer.from([...Buffer.from("typed "), 0xff, 0x0a]));
  assert.equal(session.disposed, true);
  assert.deepEqual(rooms.calls.find(({ name }) => name === "attach")?.given, [
    "web",
    { streams: ["stdout", "stderr"], stdin: true, logs: true, stream: true, detachKeys: "ctrl-a" },
  ]);
});

test("attach/ws: the client's close is the input's end", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  const { socket } = connect(server, `/containers/web/attach/ws?${all}`);
  await once(socket, "open");
  const session = await sessionOf(rooms);
  socket.send("all of it");
  socket.close();
  assert.equal(await session.inputEnded, "all of it");
  await once(socket, "close");
  assert.equal(session.disposed, true);
});

test("attach/ws: the streams are chosen from 1.42 on, frames are text before 1.28", async () => {
  for (const [version, prefix, given] of [
    ["1.42", "", { streams: ["stdout"], stdin: false, logs: false, stream: true }],
    ["1.41", "", { streams: ["stdout", "stderr"], stdin: true, logs: false, stream: true }],
    ["1.27", "t:", { streams: ["stdout", "stderr"], stdin: true, logs: false, stream: true }],
  ] as const) {
    const rooms = fakeRooms();
    await using server = await startServer(rooms.options);
    const { socket, got } = connect(server, `/v${version}/containers/web/attach/ws?stdout=1&stream=1`);
    const session = await sessionOf(rooms);
    session.say("stdout", "héllo");
    session.finish();
    await once(socket, "close");
    assert.deepEqual(got, [`${prefix}héllo`], version);
    assert.deepEqual(rooms.calls.find(({ name }) => name === "attach")?.given[1], given, version);
  }
});

test("attach/ws: failures before the handshake have their status; what is no handshake is 400", async () => {
  const rooms = fakeRooms({
    containers: {
      attach: async () => {
        const { Fault } = await import("#core/fault");
        throw new Fault("conflict", "container web is paused, unpause the container before attach");
      },
    },
  });
  await using paused = await startServer(rooms.options);
  const path = `/v1.51/containers/web/attach/ws?${all}`;
  const { socket } = connect(paused, path);
  const [error] = (await once(socket, "error")) as [Error];
  assert.equal(error.message, "Unexpected server response: 409");
  const plain = fakeRooms();
  await using server = await startServer(plain.options);
  const answer = parseAnswer(await server.exchange(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`));
  assert.equal(answer.status, 400);
  assert.match(answer.body, /Invalid Upgrade header/);
  assert.equal(plain.sessions[0]?.disposed, true);
});

test("attach/ws: a client that vanishes detaches; a message past the bound ends the connection alone", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  const { socket } = connect(server, `/containers/web/attach/ws?${all}`);
  await once(socket, "open");
  const session = await sessionOf(rooms);
  socket.terminate();
  while (!session.disposed) await new Promise((resolve) => setImmediate(resolve));
  const second = connect(server, `/containers/web/attach/ws?${all}`).socket;
  await once(second, "open");
  second.on("error", () => undefined);
  second.send(Buffer.alloc(33 * 1024 * 1024));
  const [code] = await once(second, "close");
  assert.ok(code === 1009 || code === 1006, String(code));
  const ping = await server.exchange("GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assert.match(ping, /200 OK/);
});
