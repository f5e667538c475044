import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openLog } from "#core/log";
import { connectControl } from "./control-link.ts";
import type { ContainerNames } from "./container-names.ts";
import { serveNames } from "./serve.ts";
import { containerOf, queryOf, readAnswer } from "./testing/messages.ts";
import { connectMonitor } from "./testing/monitor.ts";
import { addressAnswer, startUpstream } from "./testing/upstream.ts";

const web = containerOf("web", { n1: { names: ["web"], ipv4: "10.0.1.2" } });

test("serveNames: what is bad greeting or framing closes the connection, pieces of any size do not", async () => {
  await using served = await serve();
  await served.state(web);
  const greeting = Buffer.from("SLN1\x03web");
  const bad = {
    "bad magic": Buffer.from("HTTP/1.1"),
    "no id": Buffer.from("SLN1\x00aaaaaaaa"),
    "bad id": Buffer.from("SLN1\x03a/b"),
    "zero length": Buffer.concat([greeting, Buffer.alloc(8)]),
    "unknown transport": Buffer.concat([greeting, Buffer.from([0, 1, 2, 0, 0, 0, 0, 0, 1])]),
    "reserved byte": Buffer.concat([greeting, Buffer.from([0, 1, 0, 1, 0, 0, 0, 0, 1])]),
  };
  for (const [name, bytes] of Object.entries(bad)) {
    const socket = connect(served.queries);
    socket.write(bytes);
    socket.resume();
    await once(socket, "close", { signal: AbortSignal.timeout(3000) }).catch(() => assert.fail(name));
  }
  using monitor = await connectMonitor(served.queries, "web");
  const message = queryOf("web");
  const bytes = Buffer.concat([Buffer.from([0, message.length, 1, 0, 0xfe, 0xdc, 0xba, 0x98]), message]);
  monitor.socket.removeAllListeners("data");
  for (const byte of bytes) monitor.socket.write(Buffer.from([byte]));
  const [answer] = (await once(monitor.socket, "data")) as [Buffer];
  assert.deepEqual([...answer.subarray(2, 8)], [1, 0, 0xfe, 0xdc, 0xba, 0x98]);
  assert.deepEqual(readAnswer(answer.subarray(8)).data, ["10.0.1.2"]);
});

test("serveNames: unknown containers get SERVFAIL until they are told of", async () => {
  await using served = await serve();
  using monitor = await connectMonitor(served.queries, "web");
  const asked = async (): Promise<string> => readAnswer((await monitor.ask(queryOf("web"))).message).rcode;
  assert.equal(await asked(), "SERVFAIL");
  await served.state(web);
  assert.equal(await asked(), "NOERROR");
  await served.say({ op: "gone", id: "web" });
  assert.equal(await asked(), "SERVFAIL");
});

test("serveNames: until the commit the old picture answers; a connection that ends before it changed nothing", async () => {
  await using served = await serve();
  await served.state(web);
  await served.state(containerOf("old", { n1: { ipv4: "10.0.1.9" } }));
  using monitor = await connectMonitor(served.queries, "web");
  const ask = async (name: string): Promise<unknown[]> => readAnswer((await monitor.ask(queryOf(name))).message).data;
  const unfinished = await connectControl(served.control, assert.fail);
  unfinished?.say(JSON.stringify({ op: "begin" }));
  const { promise, resolve } = Promise.withResolvers<void>();
  unfinished?.say(JSON.stringify({ op: "container", ...web, endpoints: [] }), resolve);
  await promise;
  assert.deepEqual(await ask("old"), ["10.0.1.9"]);
  unfinished?.close();
  await unfinished?.closed;
  assert.deepEqual(await ask("old"), ["10.0.1.9"]);
  served.tell({ op: "begin" });
  await served.state({ ...web, external: false });
  assert.deepEqual(await ask("old"), ["10.0.1.9"]);
  await served.say({ op: "commit" });
  assert.equal(readAnswer((await monitor.ask(queryOf("old"))).message).rcode, "SERVFAIL");
  assert.deepEqual(await ask("web"), ["10.0.1.2"]);
});

test("serveNames: a line that is refused is acknowledged as such; one that is too long or no JSON closes the connection", async () => {
  await using served = await serve();
  await served.say({ op: "container", id: "x" });
  await served.say({ op: "commit" });
  await served.say({ op: "dance" });
  assert.equal(served.refused.length, 3);
  await served.state(web);
  assert.equal(served.refused.length, 3);
  for (const line of [`"${"x".repeat(1024 * 1024)}`, "{"]) {
    const link = await connectControl(served.control, assert.fail);
    assert.ok(link !== undefined);
    link.say(line);
    await link.closed;
  }
});

test("serveNames: other names are asked of the container's own servers, else of the host's, and failure is SERVFAIL", async () => {
  await using own = await startUpstream("127.0.0.41", (query) => [addressAnswer(query, "192.0.2.41")]);
  await using hosts = await startUpstream("127.0.0.42", (query) => [addressAnswer(query, "192.0.2.42")]);
  await using served = await serve(`nameserver ${hosts.server}\n`);
  await served.state(containerOf("own", { n1: {} }, { servers: [own.server] }));
  await served.state(containerOf("plain", { n1: {} }));
  await served.state(containerOf("dead", { n1: {} }, { servers: [`127.0.0.43#${own.port}`] }));
  await served.state(containerOf("inner", { n1: {} }, { external: false }));
  const ask = async (id: string, transport: "udp" | "tcp") => {
    using monitor = await connectMonitor(served.queries, id);
    const answer = await monitor.ask(queryOf("example.org", "A", { id: 9 }), transport);
    return [answer.transport, readAnswer(answer.message).rcode, ...readAnswer(answer.message).data];
  };
  assert.deepEqual(await ask("own", "udp"), [0, "NOERROR", "192.0.2.41"]);
  assert.deepEqual(await ask("plain", "tcp"), [1, "NOERROR", "192.0.2.42"]);
  assert.deepEqual(await ask("dead", "udp"), [0, "SERVFAIL"]);
  assert.deepEqual(await ask("inner", "udp"), [0, "SERVFAIL"]);
});

test("serveNames: one container's flood of foreign names is bounded, and leaves another's to be answered", async () => {
  let silent = 0;
  await using upstream = await startUpstream("127.0.0.44", (query) => {
    if (!query.includes("flood")) return [addressAnswer(query, "192.0.2.44")];
    silent++;
    return [];
  });
  await using served = await serve(`nameserver ${upstream.server}\n`);
  await served.state(containerOf("loud", { n1: {} }));
  await served.state(web);
  using loud = await connectMonitor(served.queries, "loud");
  using quiet = await connectMonitor(served.queries, "web");
  for (let index = 0; index < 1000; index++) loud.flood(queryOf(`flood${index}.example`), 1);
  const answer = await quiet.ask(queryOf("example.org"));
  assert.deepEqual(readAnswer(answer.message).data, ["192.0.2.44"]);
  while (loud.flooded < 1000 - 64 - 256) await once(loud.socket, "data", { signal: AbortSignal.timeout(1500) });
  assert.equal(loud.flooded, 1000 - 64 - 256);
  assert.equal(silent, 64);
});

test("serveNames: one that floods does not keep another from its answers", async () => {
  await using served = await serve();
  await served.state(web);
  await served.state(containerOf("loud", { n1: { ipv4: "10.0.1.3" } }));
  using loud = await connectMonitor(served.queries, "loud");
  using quiet = await connectMonitor(served.queries, "web");
  const rounds = 40;
  const perRound = 500;
  loud.flood(queryOf("web"), rounds * perRound);
  let ahead = 0;
  for (let round = 0; round < rounds; round++) {
    const before = loud.flooded;
    await quiet.ask(queryOf("loud"));
    ahead = Math.max(ahead, loud.flooded - before);
  }
  // A fair turn is 256 records; what lies in sockets' buffers comes on top. First come, first served would be all 20,000.
  assert.ok(loud.flooded > 0, "the flood was under way");
  assert.ok(ahead < (rounds * perRound) / 4, `${ahead} answers of the flood went before one of the quiet`);
});

test("serveNames: who does not read is not read from, and others are served on", async () => {
  await using served = await serve();
  await served.state(web);
  using deaf = await connectMonitor(served.queries, "web");
  using other = await connectMonitor(served.queries, "web");
  deaf.socket.pause();
  const flooded = 200_000;
  const before = process.memoryUsage().rss;
  deaf.flood(queryOf("web"), flooded);
  for (let round = 0; round < 200; round++) await other.ask(queryOf("web"));
  const stuck = deaf.socket.writableLength;
  assert.ok(stuck > 0, "the resolver does not take all");
  assert.ok(process.memoryUsage().rss - before < 100 * 1024 * 1024);
  deaf.socket.resume();
  while (deaf.flooded < flooded) await once(deaf.socket, "data");
});

/** A server in this process, with a control connection. */
async function serve(resolvConf = "nameserver 127.0.0.40\n") {
  const folder = mkdtempSync(join(tmpdir(), "names-"));
  writeFileSync(join(folder, "resolv.conf"), resolvConf);
  const end = new AbortController();
  const said: string[] = [];
  const options = { folder, resolvConf: join(folder, "resolv.conf"), idleMs: 60_000 };
  const log = openLog("error", (line) => said.push(line));
  const done = serveNames({ ...options, log }, end.signal);
  const control = join(folder, "control.sock");
  const refused: string[] = [];
  let link: Awaited<ReturnType<typeof connectControl>>;
  while (link === undefined) link = await connectControl(control, (fault) => refused.push(fault));
  const connected = link;
  const say = async (line: object): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    connected.say(JSON.stringify(line), resolve);
    await promise;
  };
  return {
    queries: join(folder, "queries.sock"),
    control,
    refused,
    say,
    tell: (line: object) => connected.say(JSON.stringify(line)),
    state: async (container: ContainerNames) => await say({ op: "container", ...container }),
    async [Symbol.asyncDispose]() {
      end.abort();
      await done;
      rmSync(folder, { recursive: true });
      assert.ok(!said.some((line) => line.includes("    at ")), said.join(""));
    },
  };
}
