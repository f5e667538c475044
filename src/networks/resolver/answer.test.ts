import assert from "node:assert/strict";
import { test } from "node:test";
import dnsPacket from "dns-packet";
import * as fc from "fast-check";
import { decide } from "./answer.ts";
import { NamesPicture } from "./names-view.ts";
import type { Transport } from "./packets.ts";
import { containerOf, queryOf, readAnswer } from "./testing/messages.ts";

const picture = new NamesPicture();
picture.state(containerOf("web", { n1: { names: ["web", "www"], ipv4: "10.0.1.2", ipv6: "fd00::2" } }));
picture.state(containerOf("v4", { n1: { names: ["v4"], ipv4: "10.0.1.3" } }));
picture.state(containerOf("inner", { n1: { names: ["inner"] } }, { external: false }));
picture.state(containerOf("dotted", { n1: { names: ["dotted"] } }, { ndotsSet: true }));
for (let index = 0; index < 200; index++) {
  picture.state(containerOf(`many-${index}`, { n1: { names: ["many"], ipv4: `10.0.2.${index}` } }));
}

test("decide: addresses with Docker's flags and time to live; the question comes back as it was written", () => {
  const query = queryOf("WeB", "A", { id: 77 });
  const answer = answerOf(query);
  assert.deepEqual([answer.id, answer.rcode, answer.data], [77, "NOERROR", ["10.0.1.2"]]);
  const { flag_qr: isAnswer, flag_aa: aa, flag_ra: ra, flag_rd: rd, flag_tc: tc } = answer.packet;
  assert.deepEqual([isAnswer, aa, ra, rd, tc], [true, false, true, true, false]);
  assert.equal(answer.packet.questions?.[0]?.name, "WeB");
  assert.deepEqual(answer.packet.answers?.[0], {
    name: "WeB",
    type: "A",
    ttl: 600,
    class: "IN",
    flush: false,
    data: "10.0.1.2",
  });
  assert.deepEqual(answerOf(queryOf("www.net-n1.", "AAAA")).data, ["fd00::2"]);
});

test("decide: a name of our own is never asked outside, whatever the type", () => {
  const types = ["AAAA", "MX", "TXT", "SRV", "ANY", "SOA"] as const;
  for (const type of types) {
    const answer = answerOf(queryOf("v4", type as "TXT"));
    assert.deepEqual([answer.rcode, answer.data], ["NOERROR", []], type);
  }
});

test("decide: reverse names of the container's networks", () => {
  assert.deepEqual(answerOf(queryOf("2.1.0.10.in-addr.arpa", "PTR")).data, ["web.net-n1"]);
  const nibbles = "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f";
  assert.deepEqual(answerOf(queryOf(`${nibbles}.ip6.arpa`, "PTR")).data, ["web.net-n1"]);
  assert.equal(decided(queryOf("9.9.9.9.in-addr.arpa", "PTR")).kind, "forward");
});

test("decide: what nobody has is asked outside, single labels too, unless the container may not or ndots was set", () => {
  for (const name of ["example.org", "nobody", "x.web"]) assert.equal(decided(queryOf(name)).kind, "forward", name);
  const inner = answerOf(queryOf("example.org"), "udp", "inner");
  assert.deepEqual([inner.rcode, inner.packet.flag_ra], ["SERVFAIL", false]);
  assert.deepEqual(answerOf(queryOf("v4"), "udp", "inner").data, ["10.0.1.3"]);
  assert.equal(answerOf(queryOf("nobody"), "udp", "dotted").rcode, "NOERROR");
  assert.equal(decided(queryOf("nobody", "TXT"), "udp", "dotted").kind, "forward");
  assert.equal(decided(queryOf("example.org"), "udp", "dotted").kind, "forward");
});

test("decide: a container that nobody has told of gets SERVFAIL", () => {
  assert.equal(answerOf(queryOf("web"), "udp", "unknown").rcode, "SERVFAIL");
});

test("decide: several addresses take turns in being the first", () => {
  const firsts = [0, 1, 2, 199, 200].map((turn) => readAnswer(messageOf(queryOf("many"), "tcp", "web", turn)).data[0]);
  assert.deepEqual(firsts, ["10.0.2.0", "10.0.2.1", "10.0.2.2", "10.0.2.199", "10.0.2.0"]);
});

test("decide: over UDP an answer keeps to 512 bytes or what EDNS says, and tells of the rest", () => {
  const sizes = [undefined, 100, 1232, 4096, 65_535].map((edns) => {
    const message = messageOf(queryOf("many", "A", edns === undefined ? {} : { edns }));
    const { packet, data } = readAnswer(message);
    assert.equal(packet.flag_tc, data.length < 200);
    assert.equal(packet.additionals?.length, edns === undefined ? 0 : 1);
    assert.ok(data.length > 25, "room is used");
    return message.length;
  });
  assert.deepEqual(
    sizes.map((size, index) => size <= [512, 512, 1232, 4096, 4096][index]!),
    [true, true, true, true, true],
  );
  assert.equal(answerOf(queryOf("many"), "tcp").data.length, 200);
});

test("decide: what is no query of one question is refused, and answers are not answered", () => {
  const broken = (change: (message: Buffer) => void): Buffer => {
    const message = queryOf("web");
    change(message);
    return message;
  };
  const refusedAs = (message: Buffer): string => readAnswer(messageOf(message)).rcode;
  assert.equal(refusedAs(broken((message) => message.writeUInt16BE(2, 4))), "FORMERR");
  assert.equal(refusedAs(broken((message) => message.writeUInt16BE(0, 4))), "FORMERR");
  assert.equal(refusedAs(broken((message) => message.writeUInt16BE(9, 10))), "FORMERR");
  assert.equal(refusedAs(broken((message) => message.writeUInt8(0xc0, 12))), "FORMERR");
  assert.equal(refusedAs(queryOf("web").subarray(0, 15)), "FORMERR");
  assert.equal(refusedAs(Buffer.concat([queryOf("web"), Buffer.alloc(5000)])), "FORMERR");
  assert.equal(refusedAs(broken((message) => message.writeUInt16BE(5 << 11, 2))), "NOTIMP");
  assert.equal(decided(broken((message) => message.writeUInt16BE(0x8000, 2))).kind, "silence");
  assert.equal(decided(Buffer.alloc(11)).kind, "silence");
});

test("decide: an unknown version of EDNS gets BADVERS", () => {
  const message = queryOf("web", "A", { edns: 1232 });
  message.writeUInt8(1, message.length - 5);
  const { packet, rcode, data } = readAnswer(messageOf(message));
  const [opt] = packet.additionals ?? [];
  assert.deepEqual([rcode, data, opt?.type === "OPT" && opt.extendedRcode], ["NOERROR", [], 1]);
});

test("decide: no bytes make it throw, and all that it answers can be read", () => {
  const header = fc.uint8Array({ minLength: 12, maxLength: 12 });
  const tail = fc.uint8Array({ maxLength: 300 });
  const changed = fc
    .tuple(fc.nat(60), fc.nat(255), fc.constantFrom("web", "many", "x.org"))
    .map(([at, value, name]) => {
      const message = queryOf(name, "A", { edns: 1232 });
      message.writeUInt8(value, at % message.length);
      return message;
    });
  const pieces = fc.tuple(header, tail).map((parts) => Buffer.concat(parts));
  const anything = fc.oneof(
    changed,
    pieces,
    fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  );
  let answered = 0;
  fc.assert(
    fc.property(anything, fc.constantFrom<Transport>("udp", "tcp"), (message, transport) => {
      const decision = decide(picture, "web", transport, message, 3);
      if (decision.kind !== "answer") return;
      answered++;
      assert.equal(dnsPacket.decode(decision.message).id, message.readUInt16BE(0));
    }),
    { numRuns: 3000 },
  );
  assert.ok(answered > 300, `${answered} were answered`);
});

function decided(message: Buffer, transport: Transport = "udp", id = "web", turn = 0): ReturnType<typeof decide> {
  return decide(picture, id, transport, message, turn);
}

function messageOf(...words: Parameters<typeof decided>): Buffer {
  const decision = decided(...words);
  assert.equal(decision.kind, "answer");
  return decision.kind === "answer" ? decision.message : Buffer.alloc(0);
}

function answerOf(...words: Parameters<typeof decided>): ReturnType<typeof readAnswer> {
  return readAnswer(messageOf(...words));
}
