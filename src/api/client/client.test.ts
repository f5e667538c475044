import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeFrame } from "#api/wire";
import { startFakeEngine } from "#fixtures/fake-engine";
import { parseAddress } from "./address.ts";
import { ConnectionFault, EngineFault, openClient } from "./client.ts";
import { wholeStream } from "./connection.ts";
import { encodeAuth } from "./images.ts";
import { jsonStream } from "./json-stream.ts";
import { compareVersions, queryText } from "./transport.ts";

test("parseAddress: unix, tcp, https, IPv6, base paths", () => {
  assert.deepEqual(parseAddress("unix:///run/a.sock"), { kind: "unix", path: "/run/a.sock" });
  assert.deepEqual(parseAddress("tcp://host"), { kind: "tcp", host: "host", port: 2375, tls: false, basePath: "" });
  assert.deepEqual(parseAddress("tcp://host", true), {
    kind: "tcp",
    host: "host",
    port: 2376,
    tls: true,
    basePath: "",
  });
  assert.deepEqual(parseAddress("https://[::1]:99/x/"), {
    kind: "tcp",
    host: "::1",
    port: 99,
    tls: true,
    basePath: "/x",
  });
  assert.deepEqual(parseAddress("tcp://a:80"), { kind: "tcp", host: "a", port: 80, tls: false, basePath: "" });
  for (const bad of ["", "unix://rel", "tcp://", "ssh://host", "npipe://x", "/run/a.sock"]) {
    assert.throws(() => parseAddress(bad), /unable to parse docker host/, bad);
  }
});

test("queryText: lists repeat, false and undefined stay out", () => {
  assert.equal(queryText({ a: 1, b: true, c: false, d: undefined, e: ["x", "y z"] }), "?a=1&b=1&e=x&e=y+z");
  assert.equal(queryText({}), "");
});

test("compareVersions: 1.9 is older than 1.10", () => {
  assert.ok(compareVersions("1.9", "1.10") < 0);
  assert.equal(compareVersions("1.44", "1.44"), 0);
});

test("encodeAuth: URL-safe base64 of JSON", () => {
  const text = encodeAuth({ username: "ü?>", password: "~~~" });
  assert.match(text, /^[\w-]+$/);
  assert.deepEqual(JSON.parse(Buffer.from(text, "base64url").toString()), { username: "ü?>", password: "~~~" });
});

async function collect<Item>(source: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of source) items.push(item);
  return items;
}

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

test("jsonStream: documents across chunks, CRLF, record separators, none at the end", async () => {
  const source = pieces('{"a":1}\r\n{"b":"', 'ü\\n"}\n\n', '\x1e{"c":3}');
  assert.deepEqual(await collect(jsonStream(source)), [{ a: 1 }, { b: "ü\n" }, { c: 3 }]);
  await assert.rejects(collect(jsonStream(pieces("nonsense\n"))), /not JSON/);
});

test("wholeStream: a terminal's bytes are all stdout", async () => {
  assert.deepEqual(await collect(wholeStream(pieces("a"))), [{ stream: "stdout", bytes: Buffer.from("a") }]);
});

test("openClient: a refusal has the engine's words and a kind", async () => {
  await using engine = await startFakeEngine({
    "GET /containers/x/json": { status: 404, json: { message: "No such container: x" } },
    "POST /containers/x/start": { status: 304 },
    "GET /info": { status: 500, text: "plain words", type: "text/plain" },
  });
  using client = openClient({ host: engine.host });
  await assert.rejects(client.containers.inspect("x"), (error) => {
    assert.ok(error instanceof EngineFault);
    assert.deepEqual([error.kind, error.status, error.message], ["notFound", 404, "No such container: x"]);
    return true;
  });
  await client.containers.start("x"); // already started is no failure
  await assert.rejects(client.system.info(), { message: "plain words", kind: "internal" });
});

test("openClient: nobody there is a ConnectionFault that names the host", async () => {
  using client = openClient({ host: "unix:///nowhere/at.sock" });
  await assert.rejects(client.system.info(), (error) => {
    assert.ok(error instanceof ConnectionFault);
    assert.equal(error.kind, "unavailable");
    assert.match(error.message, /unix:\/\/\/nowhere\/at\.sock/);
    return true;
  });
});

test("openClient: takes an older engine's newest version, and keeps it", async () => {
  const message = "client version 1.51 is too new. Maximum supported API version is 1.43";
  let refused = 0;
  await using engine = await startFakeEngine({
    "GET /containers/json": () => (refused++ === 0 ? { status: 400, json: { message } } : { json: [] }),
    "GET /images/json": { json: [] },
  });
  using client = openClient({ host: engine.host });
  assert.deepEqual(await client.containers.list(), []);
  assert.equal(client.apiVersion, "1.43");
  await client.images.list({ filters: { dangling: ["true"] } });
  assert.equal(engine.seen.at(-1)?.query.get("filters"), '{"dangling":{"true":true}}');
  assert.equal(engine.seen.length, 3, "one refusal, then both calls");
});

test("openClient: an aborted call is a Fault cancelled", async () => {
  await using engine = await startFakeEngine({}, {});
  using client = openClient({ host: engine.host });
  await assert.rejects(client.system.info(AbortSignal.abort()), { kind: "cancelled" });
});

test("images.pull: progress comes as it is sent; a failure in the middle is thrown", async () => {
  const text = '{"status":"Pulling"}\r\n{"errorDetail":{"message":"no room"},"error":"no room"}\r\n';
  await using engine = await startFakeEngine({ "POST /images/create": { text } });
  using client = openClient({ host: engine.host });
  const messages = await client.images.pull({ image: "a", tag: "1", auth: { username: "u" }, platform: "linux/arm64" });
  const seen: unknown[] = [];
  await assert.rejects(
    async () => {
      for await (const message of messages) seen.push(message);
    },
    { message: "no room" },
  );
  assert.deepEqual(seen, [{ status: "Pulling" }]);
  const request = engine.seen.at(-1);
  assert.equal(request?.query.toString(), "fromImage=a&tag=1&platform=linux%2Farm64");
  assert.equal(request?.headers["x-registry-auth"], encodeAuth({ username: "u" }));
});

test("images.load: uploads an archive; an early refusal keeps its words", async () => {
  await using engine = await startFakeEngine({
    "GET /_ping": { text: "OK" },
    "POST /images/load": (request) =>
      request.body === "tartar"
        ? { text: '{"stream":"Loaded image: a"}\n' }
        : { status: 400, json: { message: "no tar" } },
  });
  using client = openClient({ host: engine.host });
  assert.deepEqual(await collect(await client.images.load(pieces("tar", "tar"))), [{ stream: "Loaded image: a" }]);
  await assert.rejects(client.images.load(pieces("x")), { message: "no tar", kind: "invalid" });
});

test("containers.attach: half-close, frames in pieces, and output after our end", async () => {
  const got: Buffer[] = [];
  const converse = async (socket: Socket, head: Buffer): Promise<void> => {
    got.push(head);
    socket.on("data", (bytes: Buffer) => got.push(bytes));
    await once(socket, "end");
    const frame = encodeFrame("stderr", Buffer.from("late words"));
    socket.write(encodeFrame("stdout", Buffer.concat(got)));
    socket.write(frame.subarray(0, 5));
    await sleep(20);
    socket.end(frame.subarray(5));
  };
  await using engine = await startFakeEngine(
    {},
    { "POST /containers/c/attach": (socket, head) => void converse(socket, head) },
  );
  using client = openClient({ host: engine.host });
  await using connection = await client.containers.attach("c", { stdin: true, stdout: true, stderr: true });
  assert.equal(connection.isMultiplexed, true);
  await connection.write("hello");
  connection.endInput();
  const output = await collect(connection.output);
  assert.deepEqual(
    output.map(({ bytes, stream }) => `${stream}:${Buffer.from(bytes).toString()}`),
    ["stdout:hello", "stderr:late words"],
  );
  assert.equal(engine.seen[0]?.query.toString(), "stdin=1&stdout=1&stderr=1&stream=1");
});

test("containers.attach: a connection that breaks is an end of the output", async () => {
  await using engine = await startFakeEngine(
    {},
    {
      "POST /containers/c/attach": (socket) => void socket.destroy(),
    },
  );
  using client = openClient({ host: engine.host });
  await using connection = await client.containers.attach("c", { stdout: true });
  assert.deepEqual(await collect(connection.output), []);
});

test("NetworksClient: paths, bodies and answers", async () => {
  await using engine = await startFakeEngine({
    "POST /networks/create": { status: 201, json: { Id: "1", Warning: "" } },
    "POST /networks/my net/connect": { status: 200 },
    "POST /networks/n/disconnect": { status: 200 },
    "POST /networks/prune": { json: { NetworksDeleted: ["a"] } },
    "DELETE /networks/n": { status: 204 },
    "DELETE /networks/bridge": { status: 403, json: { message: "bridge is a pre-defined network" } },
    "GET /networks/n": { json: { Name: "n" } },
    "GET /networks": { json: [{ Name: "n" }] },
  });
  using client = openClient({ host: engine.host });
  const { networks } = client;
  assert.deepEqual(await networks.create({ Name: "n", Internal: true }), { Id: "1", Warning: "" });
  await networks.connect("my net", "web", { Aliases: ["db"] });
  await networks.disconnect("n", "web", { force: true });
  await networks.disconnect("n", "web");
  assert.deepEqual(await networks.prune({ until: ["24h"] }), { NetworksDeleted: ["a"] });
  await networks.remove("n");
  await assert.rejects(networks.remove("bridge"), (error) => error instanceof EngineFault && error.status === 403);
  assert.equal((await networks.inspect("n")).Name, "n");
  assert.equal((await networks.list({ driver: ["bridge"] })).length, 1);
  const bodies = engine.seen.filter(({ body }) => body !== "").map(({ body }): unknown => JSON.parse(body));
  assert.deepEqual(bodies, [
    { Name: "n", Internal: true },
    { Container: "web", EndpointConfig: { Aliases: ["db"] } },
    { Container: "web", Force: true },
    { Container: "web", Force: false },
  ]);
  assert.equal(
    engine.seen.find(({ path }) => path === "/networks/prune")?.query.get("filters"),
    '{"until":{"24h":true}}',
  );
});
