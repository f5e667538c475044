import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeRooms } from "./testing/fake-rooms.ts";
import { parseAnswer, type RawClient, startServer } from "./testing/raw-client.ts";

const attachPath = "/v1.51/containers/web/attach?stdin=1&stdout=1&stderr=1&stream=1";
const execPath = `/v1.51/exec/${"ec".repeat(32)}/start`;
const upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n";

/** Waits until the fake has opened a session. */
async function sessionOf(rooms: ReturnType<typeof fakeRooms>, client: RawClient) {
  await client.until("\r\n\r\n");
  while (rooms.sessions.length === 0) await new Promise((resolve) => setImmediate(resolve));
  return rooms.sessions[0]!;
}

test("attach with Upgrade: 101 UPGRADED, frames out, stdin in, half-close keeps output flowing", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  const client = await server.dial();
  client.send(`POST ${attachPath} HTTP/1.1\r\nHost: x\r\n${upgrade}Content-Length: 0\r\n\r\nearly `);
  const session = await sessionOf(rooms, client);
  assert.match(
    client.text,
    /^HTTP\/1\.1 101 UPGRADED\r\nContent-Type: application\/vnd\.docker\.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n/,
  );
  client.send("late");
  client.socket.end();
  assert.equal(await session.inputEnded, "early late");
  session.say("stdout", "out");
  session.say("stderr", "err");
  session.finish();
  const text = await client.readToEnd();
  assert.equal(text.slice(text.indexOf("\r\n\r\n") + 4), "\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x03err");
  assert.equal(session.disposed, true);
});

test("attach without Upgrade: 200 without length on the same socket, which carries stdin too", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  const client = await server.dial();
  client.send(`POST ${attachPath} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
  const session = await sessionOf(rooms, client);
  assert.match(client.text, /^HTTP\/1\.1 200 OK\r\nContent-Type: application\/vnd\.docker\.raw-stream\r\n/);
  assert.doesNotMatch(client.text, /content-length|transfer-encoding/i);
  client.send("typed");
  client.socket.end();
  assert.equal(await session.inputEnded, "typed");
  session.finish();
  await client.readToEnd();
});

test("attach with chunked and Upgrade: raw bytes follow the head, an empty chunked body is dropped", async () => {
  for (const prefix of ["", "0\r\n\r\n"]) {
    const rooms = fakeRooms();
    await using server = await startServer(rooms.options);
    const client = await server.dial();
    client.send(`POST ${attachPath} HTTP/1.1\r\nHost: x\r\n${upgrade}Transfer-Encoding: chunked\r\n\r\n${prefix}`);
    const session = await sessionOf(rooms, client);
    client.send("raw");
    client.socket.end();
    assert.equal(await session.inputEnded, "raw");
    session.finish();
    await client.readToEnd();
  }
});

test("attach with chunked and no Upgrade: the chunks are the input", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  const client = await server.dial();
  client.send(`POST ${attachPath} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
  const session = await sessionOf(rooms, client);
  client.send("2\r\nde\r\n0\r\n\r\n");
  assert.equal(await session.inputEnded, "abcde");
  session.finish();
  await client.readToEnd();
});

test("attach: a failure is plain text and ends the connection", async () => {
  await using server = await startServer(
    fakeRooms({
      containers: {
        attach: async () => {
          const { Fault } = await import("#core/fault");
          throw new Fault("conflict", "You cannot attach to a paused container, unpause it first");
        },
      },
    }).options,
  );
  const answer = parseAnswer(await server.exchange(`POST ${attachPath} HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`));
  assert.equal(answer.status, 409);
  assert.equal(answer.headers["content-type"], "application/vnd.docker.raw-stream");
  assert.equal(answer.body, "You cannot attach to a paused container, unpause it first\r\n");
});

test("attach: with a terminal there are no frames and the type is raw", async () => {
  const base = fakeRooms();
  const container = base.options.containers.find("web");
  const rooms = fakeRooms({}, { spec: { ...container.spec, tty: true } });
  await using server = await startServer(rooms.options);
  const client = await server.dial();
  client.send(`POST ${attachPath} HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`);
  const session = await sessionOf(rooms, client);
  session.say("stdout", "bare");
  session.finish();
  const text = await client.readToEnd();
  assert.match(text, /Content-Type: application\/vnd\.docker\.raw-stream/);
  assert.match(text, /\r\n\r\nbare$/);
});

test("attach: before API 1.42 the type is raw though frames are sent", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  const client = await server.dial();
  client.send(`POST ${attachPath.replace("1.51", "1.41")} HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`);
  const session = await sessionOf(rooms, client);
  session.say("stdout", "x");
  session.finish();
  assert.match(await client.readToEnd(), /docker\.raw-stream[\s\S]*\r\n\r\n\x01\0\0\0\0\0\0\x01x$/);
});

test("attach: a client that vanishes detaches its session", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  const client = await server.dial();
  client.send(`POST ${attachPath} HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`);
  const session = await sessionOf(rooms, client);
  client.socket.destroy();
  const deadline = Date.now() + 5000;
  while (!session.disposed && Date.now() < deadline) {
    session.say("stdout", "is somebody there?");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(session.disposed, true);
});

test("exec start: the JSON body is read by length or chunks, what follows is stdin, with and without Upgrade", async () => {
  const body = '{"Detach":false,"Tty":false}';
  const framings = [
    `Content-Length: ${body.length}\r\n\r\n${body}`,
    `Transfer-Encoding: chunked\r\n\r\n5\r\n${body.slice(0, 5)}\r\n${(body.length - 5).toString(16)};x=y\r\n${body.slice(5)}\r\n0\r\n\r\n`,
  ];
  for (const framing of framings) {
    for (const asked of [upgrade, ""]) {
      const rooms = fakeRooms();
      await using server = await startServer(rooms.options);
      const client = await server.dial();
      const head = `POST ${execPath} HTTP/1.1\r\nHost: x\r\n${asked}Content-Type: application/json\r\n`;
      client.send(`${head}${framing}input behind`);
      const session = await sessionOf(rooms, client);
      assert.match(client.text, asked === "" ? /^HTTP\/1\.1 200 OK/ : /^HTTP\/1\.1 101 UPGRADED/);
      client.socket.end();
      assert.equal(await session.inputEnded, "input behind");
      session.say("stdout", "done");
      session.finish();
      assert.match(await client.readToEnd(), /\x01\0\0\0\0\0\0\x04done$/);
    }
  }
});

test("exec start: a start that fails is told in the stream; an unknown exec has its status", async () => {
  const { Fault } = await import("#core/fault");
  const rooms = fakeRooms({
    containers: {
      startExec: async () => {
        throw new Fault("invalid", "OCI runtime exec failed: no such file");
      },
    },
  });
  await using server = await startServer(rooms.options);
  const failed = await server.exchange(`POST ${execPath} HTTP/1.1\r\nHost: x\r\n${upgrade}Content-Length: 2\r\n\r\n{}`);
  assert.match(failed, /^HTTP\/1\.1 101 UPGRADED[\s\S]*OCI runtime exec failed: no such file\r\n$/);
  const unknown = await server.exchange(
    "POST /exec/zz/start HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
  );
  assert.equal(parseAnswer(unknown).status, 404);
  assert.deepEqual(JSON.parse(parseAnswer(unknown).body), { message: "No such exec instance: zz" });
});

test("exec start: detached answers 200 and keeps the connection", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  const client = await server.dial();
  const body = '{"Detach":true}';
  const head = `POST ${execPath} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
  client.send(
    `${head}Content-Length: ${body.length}\r\n\r\n${body}GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
  );
  assert.match(await client.readToEnd(), /^HTTP\/1\.1 200 OK[\s\S]*HTTP\/1\.1 200 OK[\s\S]*OK$/);
});

test("wait: the head is flushed at once, the code comes when the container ends", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  const client = await server.dial();
  client.send("POST /v1.51/containers/web/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const head = await client.until("\r\n\r\n");
  assert.match(head, /^HTTP\/1\.1 200 OK/);
  assert.doesNotMatch(head, /StatusCode/);
  rooms.finishWaits(137);
  assert.deepEqual(JSON.parse(parseAnswer(await client.readToEnd()).body), { StatusCode: 137 });
});

test("wait: before API 1.30 nothing is sent before the end; an unknown condition is refused", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  const client = await server.dial();
  client.send("POST /v1.29/containers/web/wait?condition=removed HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  while (!rooms.calls.some(({ name }) => name === "wait")) await new Promise((resolve) => setTimeout(resolve, 1));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(client.text, "");
  rooms.finishWaits(0);
  assert.equal(parseAnswer(await client.readToEnd()).status, 200);
  assert.equal(rooms.calls.find(({ name }) => name === "wait")?.given[1], "not-running");
  const refused = await server.exchange(
    "POST /containers/web/wait?condition=soon HTTP/1.1\r\nConnection: close\r\n\r\n",
  );
  assert.equal(JSON.parse(parseAnswer(refused).body).message, 'invalid condition: "soon"');
});

test("wait: a client that goes away aborts its wait", async () => {
  const aborted = Promise.withResolvers<void>();
  const rooms = fakeRooms({
    containers: {
      wait: async (_name, _condition, signal) => {
        signal.addEventListener("abort", () => aborted.resolve());
        return {
          result: new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("gone")))),
        };
      },
    },
  });
  await using server = await startServer(rooms.options);
  const client = await server.dial();
  client.send("POST /containers/web/wait HTTP/1.1\r\nHost: x\r\n\r\n");
  await client.until("\r\n\r\n");
  client.socket.destroy();
  await assert.doesNotReject(aborted.promise);
});

test("logs: framed lines with nine digits of time; no stream is refused", async () => {
  const rooms = fakeRooms({
    containers: {
      logs: async function* logs() {
        yield { stream: "stderr", timeNs: 1_700_000_000_000_000_001n, bytes: Buffer.from("oops\n") };
      },
    },
  });
  await using server = await startServer(rooms.options);
  const ask = async (query: string) =>
    parseAnswer(
      await server.exchange(`GET /containers/web/logs?${query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
    );
  const answer = await ask("stdout=1&stderr=1&timestamps=1&tail=all&since=1.5");
  assert.equal(answer.headers["content-type"], "application/vnd.docker.multiplexed-stream");
  const line = "2023-11-14T22:13:20.000000001Z oops\n";
  assert.equal(answer.body, `\x02\0\0\0\0\0\0${String.fromCharCode(line.length)}${line}`);
  const options = rooms.calls.find(({ name }) => name === "logs")?.given[1] as Record<string, unknown>;
  assert.deepEqual(options, { streams: ["stdout", "stderr"], follow: false, sinceNs: 1_500_000_000n });
  const refused = await ask("follow=1");
  assert.equal(refused.status, 400);
  assert.equal(JSON.parse(refused.body).message, "Bad parameters: you must choose at least one stream");
});

test("load: the body reaches the room as it comes, with Expect: 100-continue too", async () => {
  const got: Buffer[] = [];
  const rooms = fakeRooms({
    images: {
      load: async function* load(archive) {
        for await (const bytes of archive) got.push(Buffer.from(bytes));
        yield { stream: "Loaded image: busybox:latest" };
      },
    },
  });
  await using server = await startServer(rooms.options);
  const client = await server.dial();
  client.send(
    "POST /images/load HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
  );
  await client.until("HTTP/1.1 100 Continue\r\n\r\n");
  client.send("4\r\ntar!\r\n");
  client.send("0\r\n\r\n");
  const text = await client.readToEnd();
  assert.equal(Buffer.concat(got).toString(), "tar!");
  assert.match(text, /\{"stream":"Loaded image: busybox:latest\\n"\}\r\n/);
});

test("attach: the server's own end is not the end of the container's input", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  const client = await server.dial();
  client.send(`POST ${attachPath} HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`);
  const session = await sessionOf(rooms, client);
  let ended = false;
  void session.inputEnded.then(() => (ended = true));
  await server.server.close();
  assert.equal(session.disposed, true);
  assert.equal(ended, false);
});
