import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { inNetwork } from "./names-asking.ts";
import { answerTo, FakeResolver, startAsker } from "./names-bed.ts";
import { connectShim, stopZygote } from "./shim.ts";
import { StartFailure } from "./shim-types.ts";
import { openTestBed, type TestBed } from "./test-bed.ts";

const isPlainBuild = process.env["SLIPWAY_SHIM_KIND"] === undefined;
let bed: TestBed;
let resolvers = 0;
before(async () => {
  bed = await openTestBed();
});
after(async () => bed[Symbol.asyncDispose]());

const nextPath = (): string => join(bed.dir, `resolver-${resolvers++}.sock`);

const answered = (...questions: readonly string[]): string[] =>
  questions.map((question) => Buffer.from(answerTo(Buffer.from(question, "latin1"))).toString("latin1"));

const inNamespace = (pid: number, ...argv: readonly string[]): string =>
  execFileSync("nsenter", [`--net=/proc/${pid}/ns/net`, ...argv]).toString();

function privateKb(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return [...rollup.matchAll(/^Private_\w+:\s+(\d+) kB/gm)].reduce((sum, match) => sum + Number(match[1]), 0);
}

test("names: many askers by UDP and TCP at once each get their own answers, from where they asked", async () => {
  const names = join(bed.dir, "a-long-name".repeat(6));
  await using resolver = await FakeResolver.listen(names);
  await using asker = await startAsker(bed, { names });
  const results = await inNetwork(asker.pid, async (asking) => {
    const questions = (name: string, count: number) => Array.from({ length: count }, (_, i) => `?${name} ${i}`);
    const udp = Array.from({ length: 20 }, async (_, i) => await asking.udp(questions(`udp ${i}`, 100), 2000, 8));
    const tcp = Array.from({ length: 12 }, async (_, i) => await asking.tcp(questions(`tcp ${i}`, 50)));
    return { udp: await Promise.all(udp), tcp: await Promise.all(tcp) };
  });
  const expected = (name: string, askers: number, count: number): string[][] =>
    Array.from({ length: askers }, (_, i) =>
      answered(...Array.from({ length: count }, (_one, k) => `?${name} ${i} ${k}`)),
    );
  assert.deepEqual(results, { udp: expected("udp", 20, 100), tcp: expected("tcp", 12, 50) });
  assert.deepEqual(resolver.hellos, [`SLN1${asker.start.id}`]);
  if (isPlainBuild) assert.ok(privateKb(asker.monitorPid) < 512, `${privateKb(asker.monitorPid)} kB`);
});

test("names: the longest messages of both transports, in pieces too; what is longer by UDP is dropped", async () => {
  const names = nextPath();
  await using _resolver = await FakeResolver.listen(names);
  await using asker = await startAsker(bed, { names });
  const results = await inNetwork(asker.pid, async (asking) => {
    const longest = `?${"long".repeat(20_000)}`.slice(0, 65_535);
    const right = (answer: string | undefined) => answer !== undefined && answer === `\u00c0${longest.slice(1)}`;
    const [most, tooMuch] = await asking.udp([longest.slice(0, 4096), longest.slice(0, 4097)], 300);
    const tcp = await asking.tcp([longest, longest.slice(0, 1), longest]);
    const socket = await asking.connect();
    const bytes = Buffer.concat([Buffer.from([255, 255]), Buffer.from(longest, "latin1")]);
    for (let at = 0; at < 60_000; at += 2_500) {
      socket.write(bytes.subarray(at, at + 2_500));
      await new Promise((done) => setTimeout(done, 2));
    }
    socket.end(bytes.subarray(60_000)); // it says no more, and still hears
    const pieces: Buffer[] = [];
    for await (const chunk of socket) pieces.push(chunk as Buffer);
    const slow = Buffer.concat(pieces).toString("latin1", 2);
    return {
      udp: [most?.length, tooMuch],
      tcp: [right(tcp[0]), tcp[1], right(tcp[2])],
      slow: right(slow),
    };
  });
  assert.deepEqual(results, { udp: [4096, null], tcp: [true, "\u00c0", true], slow: true });
  if (isPlainBuild) assert.ok(privateKb(asker.monitorPid) < 512, `${privateKb(asker.monitorPid)} kB`);
});

test("names: a table of that name makes way for this rule alone; without a resolver nothing is opened", async () => {
  const stale = "table ip slipway_names { chain stale { type filter hook output priority 0; drop; }; }";
  const prepare = (pid: number): void => void inNamespace(pid, "nft", stale);
  await using asker = await startAsker(bed, { names: nextPath(), prepare });
  const rules = inNamespace(asker.pid, "nft", "list", "ruleset").replaceAll(/\s+/g, " ");
  assert.equal(
    rules.replaceAll("priority raw", "priority -300").replaceAll(/\b\d{4,}\b/g, "PORT"),
    "table ip slipway_names { chain output { type filter hook output priority -300; policy accept; " +
      "ip daddr 127.0.0.11 udp dport 53 udp dport set PORT " +
      "ip daddr 127.0.0.11 tcp dport 53 tcp dport set PORT } " +
      "chain prerouting { type filter hook prerouting priority -300; policy accept; " +
      'ip saddr 127.0.0.11 iif "lo" udp sport PORT udp sport set 53 ' +
      'ip saddr 127.0.0.11 iif "lo" tcp sport PORT tcp sport set 53 } } ',
  );
  await using other = await startAsker(bed, {});
  assert.equal(inNamespace(other.pid, "nft", "list", "ruleset"), "");
  const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
  assert.equal(descriptors(asker.monitorPid) - descriptors(other.monitorPid), 2);
});

test("names: the kernel tracks no connection for them; where the container has it do so, query and answer are one", async () => {
  const names = nextPath();
  await using _resolver = await FakeResolver.listen(names);
  const ask = async (pid: number): Promise<unknown> =>
    await inNetwork(pid, async (asking) => [await asking.udp(["?u", "?v"]), await asking.tcp(["?t"])]);
  const right = [answered("?u", "?v"), answered("?t")];
  await using asker = await startAsker(bed, { names });
  assert.deepEqual(await ask(asker.pid), right);
  // Absent where the kernel tracks nothing anywhere.
  const count = "cat /proc/sys/net/netfilter/nf_conntrack_count 2>/dev/null || echo 0";
  assert.equal(inNamespace(asker.pid, "sh", "-c", count).trim(), "0");
  const strict =
    "table ip own { chain output { type filter hook output priority 0; policy drop; " +
    "ip daddr 127.0.0.11 accept; ct direction reply ct state established accept; }; }";
  await using guarded = await startAsker(bed, {
    names,
    prepare: (pid) => void inNamespace(pid, "nft", strict),
  });
  assert.deepEqual(await ask(guarded.pid), right);
});

test("names: the container may have port 53 at all addresses for itself", async () => {
  const names = nextPath();
  await using _resolver = await FakeResolver.listen(names);
  await using asker = await startAsker(bed, { names });
  const results = await inNetwork(asker.pid, async (asking) => {
    const { createServer, connect } = await import("node:net");
    const { createSocket } = await import("node:dgram");
    const { once } = await import("node:events");
    const seen: unknown[] = [];
    for (const [address, own, kind] of [
      ["0.0.0.0", "127.0.0.1", "udp4"],
      ["::", "::1", "udp6"],
    ] as const) {
      const udp = createSocket(kind);
      const tcp = createServer((socket) => socket.end("own"));
      udp.bind(53, address);
      tcp.listen(53, address);
      await Promise.all([once(udp, "listening"), once(tcp, "listening")]);
      udp.on("message", (_bytes, from) => udp.send("own", from.port, from.address));
      const client = createSocket(kind);
      client.send("?", 53, own);
      const [bytes] = (await once(client, "message")) as [Buffer];
      const [words] = (await once(connect(53, own), "data")) as [Buffer];
      seen.push(`${bytes.toString()} ${words.toString()}`, await asking.udp(["?u"]), await asking.tcp(["?t"]));
      client.close();
      udp.close();
      tcp.close();
    }
    return seen;
  });
  const both = ["own own", answered("?u"), answered("?t")];
  assert.deepEqual(results, [...both, ...both]);
});

test("names: in a network that belongs to a user namespace", async () => {
  const names = nextPath();
  await using resolver = await FakeResolver.listen(names);
  const ids = [{ inside: 0, outside: 100_000, size: 65_536 }];
  await using asker = await startAsker(bed, {
    names,
    namespaces: { newNetns: true, newUserns: true },
    start: { userNamespace: { kind: "own", mapping: { uids: ids, gids: ids } } },
  });
  const ask = async (): Promise<unknown> =>
    await inNetwork(asker.pid, async (asking) => [await asking.udp(["?u"]), await asking.tcp(["?t"])]);
  assert.deepEqual(await ask(), [answered("?u"), answered("?t")]);
  assert.equal(resolver.hellos.length, 1);
});

test("names: without a network of the container's own, or with a path that is none, the start fails", async () => {
  const fails = async (options: Parameters<typeof startAsker>[1], words: RegExp): Promise<void> =>
    await assert.rejects(startAsker(bed, options), (error) => {
      assert.ok(error instanceof StartFailure);
      assert.match(error.message, words);
      return true;
    });
  await fails({ names: nextPath(), namespaces: { newNetns: false } }, /wants a network of the container's own/);
  await fails({ names: "relative.sock" }, /the resolver's socket relative\.sock: Invalid argument/);
  await fails({ names: `/${"x".repeat(100)}` }, /the resolver's socket .*: File ?name too long/);
});

test("names: a kernel without the firewall is asked at port 53 itself; where that is taken the start fails", async () => {
  const folder = resolve(import.meta.dirname, "../../../shim/test");
  const program = join(bed.dir, "without-firewall");
  execFileSync("cc", ["-std=gnu17", "-Wall", "-Wextra", "-Werror", "-o", program, join(folder, "without_firewall.c")]);
  const kind = isPlainBuild ? "" : `-${process.env["SLIPWAY_SHIM_KIND"]}`;
  process.env["SLIPWAY_TEST_PROGRAM"] = resolve(folder, `../../build/shim/slipway-shim${kind}`);
  const socketPath = join(bed.dir, "without.sock");
  const shim = await connectShim({ socketPath, shimPath: program });
  const names = nextPath();
  await using _resolver = await FakeResolver.listen(names);
  {
    await using asker = await startAsker({ ...bed, shim }, { names });
    const ask = inNetwork(asker.pid, async (asking) => [await asking.udp(["?u"]), await asking.tcp(["?t"])]);
    assert.deepEqual(await ask, [answered("?u"), answered("?t")]);
    assert.equal(inNamespace(asker.pid, "nft", "list", "ruleset"), "");
    assert.match(inNamespace(asker.pid, "ss", "-Huln", "sport = 53"), /127\.0\.0\.11:53 /);
  }
  const taken = "const s = require('dgram').createSocket('udp4').bind(53, '0.0.0.0', () => console.log('bound'))";
  let end = (): unknown => undefined;
  const prepare = (pid: number): void => {
    const { spawn } = process.getBuiltinModule("node:child_process");
    const child = spawn("nsenter", [`--net=/proc/${pid}/ns/net`, process.execPath, "-e", taken]);
    end = () => child.kill("SIGKILL");
    for (let i = 0; i < 200 && !inNamespace(pid, "ss", "-Huln", "sport = 53").includes(":53 "); i++);
  };
  await assert.rejects(startAsker({ ...bed, shim }, { names, prepare }), (error) => {
    assert.ok(error instanceof StartFailure);
    assert.equal(error.stage, "network");
    assert.match(error.message, /the container's name server: .*no nftables.*: Address (?:already )?in use/);
    return true;
  });
  end();
  await stopZygote(socketPath);
  assert.equal(existsSync(socketPath), false);
});
