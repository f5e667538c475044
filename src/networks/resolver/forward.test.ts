import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import dnsPacket from "dns-packet";
import { Forwarder } from "./forward.ts";
import { ForwardSlots } from "./forward-slots.ts";
import { type Query, readQuery, type Transport } from "./packets.ts";
import { upstreamsOf } from "./resolv-conf.ts";
import { queryOf, readAnswer } from "./testing/messages.ts";
import { addressAnswer, failureAnswer, startUpstream, type Upstream } from "./testing/upstream.ts";

const timeoutMs = 300;

test("Forwarder: the asker's id comes back; upstream sees ids and ports of our own choice", async () => {
  await using upstream = await startUpstream("127.0.0.21", (query) => [addressAnswer(query, "192.0.2.1")]);
  const forwarder = new Forwarder();
  for (let index = 0; index < 16; index++) {
    const answer = readAnswer(await ask(forwarder, queryOf(`n${index}.example`, "A", { id: 7 }), "udp", [upstream]));
    assert.deepEqual([answer.id, answer.data], [7, ["192.0.2.1"]]);
  }
  assert.ok(new Set(upstream.asked.map(({ id }) => id)).size > 12, "ids differ");
  assert.ok(new Set(upstream.asked.map(({ port }) => port)).size > 12, "ports differ");
});

test("Forwarder: silent, refused, failing and refusing servers are passed over in order; none left is no answer", async () => {
  await using silent = await startUpstream("127.0.0.22", () => []);
  await using failing = await startUpstream("127.0.0.23", (query) => [failureAnswer(query, 2)]);
  await using refusing = await startUpstream("127.0.0.24", (query) => [failureAnswer(query, 5)]);
  await using good = await startUpstream("127.0.0.25", (query) => [addressAnswer(query, "192.0.2.2")]);
  const dead = { server: `127.0.0.26#${silent.port}` };
  const started = performance.now();
  const answer = await ask(new Forwarder(), queryOf("a.example"), "udp", [silent, dead, failing, refusing, good]);
  assert.ok(performance.now() - started >= timeoutMs - 20, "the silent one had its time");
  assert.deepEqual(readAnswer(answer).data, ["192.0.2.2"]);
  assert.deepEqual(
    [silent, failing, refusing, good].map(({ asked }) => asked.length),
    [1, 1, 1, 1],
  );
  assert.equal(await ask(new Forwarder(), queryOf("a.example"), "udp", [silent, dead, failing]), undefined);
  assert.equal(await ask(new Forwarder(), queryOf("a.example"), "udp", []), undefined);
});

test("Forwarder: that a name does not exist is an answer", async () => {
  await using upstream = await startUpstream("127.0.0.27", (query) => [failureAnswer(query, 3)]);
  assert.equal(readAnswer(await ask(new Forwarder(), queryOf("no.example"), "udp", [upstream])).rcode, "NXDOMAIN");
});

test("Forwarder: answers with another id, another question, or that are none, are passed over", async () => {
  await using upstream = await startUpstream("127.0.0.28", (query) => {
    const wrongId = addressAnswer(query, "192.0.2.66");
    wrongId.writeUInt16BE((query.readUInt16BE(0) + 1) & 0xffff, 0);
    const wrongQuestion = addressAnswer(queryOf("b.example", "A", { id: query.readUInt16BE(0) }), "192.0.2.66");
    return [wrongId, wrongQuestion, query, Buffer.from("x"), addressAnswer(query, "192.0.2.3")];
  });
  const answer = await ask(new Forwarder(), queryOf("a.example"), "udp", [upstream]);
  assert.deepEqual(readAnswer(answer).data, ["192.0.2.3"]);
});

test("Forwarder: cut answers go to UDP askers as they are, TCP askers get the whole by TCP", async () => {
  await using upstream = await startUpstream("127.0.0.29", (query, transport) => [
    addressAnswer(query, "192.0.2.4", transport === "udp" ? dnsPacket.TRUNCATED_RESPONSE : 0),
  ]);
  const flags = async (transport: Transport): Promise<boolean | undefined> =>
    readAnswer(await ask(new Forwarder(), queryOf("a.example"), transport, [upstream])).packet.flag_tc;
  assert.deepEqual([await flags("udp"), await flags("tcp")], [true, false]);
  assert.deepEqual(
    upstream.asked.map(({ transport }) => transport),
    ["udp", "tcp"],
  );
});

test("Forwarder: a server that closes TCP is asked by UDP, and the next one when that is cut", async () => {
  await using small = await startUpstream("127.0.0.30", (query, transport) =>
    transport === "tcp" ? "close" : [addressAnswer(query, "192.0.2.5")],
  );
  await using cutting = await startUpstream("127.0.0.31", (query, transport) =>
    transport === "tcp" ? "close" : [addressAnswer(query, "192.0.2.6", dnsPacket.TRUNCATED_RESPONSE)],
  );
  const first = await ask(new Forwarder(), queryOf("a.example"), "tcp", [small]);
  const second = await ask(new Forwarder(), queryOf("a.example"), "tcp", [cutting, small]);
  assert.deepEqual([readAnswer(first).data, readAnswer(second).data], [["192.0.2.5"], ["192.0.2.5"]]);
});

test("Forwarder: an answer larger than the asker takes over UDP is cut and says so", async () => {
  await using upstream = await startUpstream("127.0.0.32", (query) => [
    Buffer.concat([addressAnswer(query, "192.0.2.7"), Buffer.alloc(600)]),
  ]);
  const cut = await ask(new Forwarder(), queryOf("a.example"), "udp", [upstream]);
  const whole = await ask(new Forwarder(), queryOf("a.example", "A", { edns: 1232 }), "udp", [upstream]);
  assert.ok(cut !== undefined && whole !== undefined && cut.length <= 512 && whole.length > 600);
  assert.deepEqual([readAnswer(cut).packet.flag_tc, readAnswer(cut).data], [true, []]);
});

test("Forwarder: the same question at the same time is asked once of the same servers, and each asker keeps its id", async () => {
  await using one = await startUpstream("127.0.0.33", (query) => [addressAnswer(query, "192.0.2.8")]);
  await using other = await startUpstream("127.0.0.34", (query) => [addressAnswer(query, "192.0.2.9")]);
  const forwarder = new Forwarder();
  const answers = await Promise.all([
    ask(forwarder, queryOf("a.example", "A", { id: 1 }), "udp", [one]),
    ask(forwarder, queryOf("a.example", "A", { id: 2 }), "udp", [one]),
    ask(forwarder, queryOf("a.example", "A", { id: 3 }), "udp", [other]),
    ask(forwarder, queryOf("b.example", "A", { id: 4 }), "udp", [one]),
  ]);
  assert.deepEqual(
    answers.map((answer) => readAnswer(answer).id),
    [1, 2, 3, 4],
  );
  assert.deepEqual(readAnswer(answers[2]).data, ["192.0.2.9"]);
  assert.deepEqual([one.asked.length, other.asked.length], [2, 1]);
});

test("ForwardSlots: bounds for each and for all, and the one with few does not wait behind the one with many", async () => {
  const slots = new ForwardSlots<object>({ total: 4, eachAsker: 3, waitingOfEachAsker: 6 });
  const [flood, quiet] = [{}, {}];
  const order: string[] = [];
  let running = 0;
  let most = 0;
  const work = (name: string) => async (): Promise<string> => {
    most = Math.max(most, ++running);
    await sleep(5);
    running--;
    order.push(name);
    return name;
  };
  const flooding = Array.from({ length: 12 }, async () => await slots.run(flood, work("flood")));
  const answers = [...flooding, slots.run(quiet, work("quiet")), slots.run(quiet, work("quiet"))];
  const refused = (await Promise.all(answers)).filter((answer) => answer === undefined).length;
  assert.equal(most, 4);
  assert.equal(refused, 12 - 3 - 6);
  assert.ok(order.lastIndexOf("quiet") < order.length - 3, order.join(" "));
  assert.equal(await slots.run(flood, work("later")), "later");
});

async function ask(
  forwarder: Forwarder,
  message: Buffer,
  transport: Transport,
  servers: readonly Pick<Upstream, "server">[],
): Promise<Buffer | undefined> {
  const upstreams = { ...upstreamsOf(servers.map(({ server }) => server)), timeoutMs };
  return await forwarder.ask(understood(message), transport, upstreams);
}

function understood(message: Buffer): Query {
  const result = readQuery(message);
  assert.equal(result.kind, "query");
  if (result.kind !== "query") throw new Error("no query");
  return result.query;
}
