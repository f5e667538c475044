import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { answerOf, askTcp, askUdp, insideOwnNetwork, isFree, serve, talkTo } from "./ports-bed.ts";
import type { HeldPort } from "./shim-types.ts";
import { openTestBed, type TestBed } from "./test-bed.ts";

if (insideOwnNetwork(import.meta.url)) {
  let bed: TestBed;
  before(async () => {
    bed = await openTestBed();
  });
  after(async () => bed[Symbol.asyncDispose]());

  test("holdPorts: all or none, each protocol and address by itself, and free when the slot is not needed", async () => {
    const other = createServer().listen({ host: "::", port: 8001, ipv6Only: true });
    await once(other, "listening");
    await using slot = await bed.shim.prepareMonitor({ newNetns: true });
    const mine = [
      held("tcp", "0.0.0.0", 8000),
      held("tcp", "::", 8000),
      held("udp", "0.0.0.0", 8000),
      held("sctp", "0.0.0.0", 8000),
    ];
    const refused = await slot.holdPorts([...mine, held("tcp", "0.0.0.0", 8001), held("tcp", "::", 8001)]);
    assert.deepEqual([refused?.index, refused?.code], [5, "EADDRINUSE"]);
    assert.deepEqual([await isFree("0.0.0.0", 8000), await isFree("0.0.0.0", 8001)], [true, true]);
    const strange = await slot.holdPorts([held("tcp", "203.0.113.9", 8000)]);
    assert.deepEqual([strange?.index, strange?.code], [0, "EADDRNOTAVAIL"]);
    for (const ip of ["nowhere", "1.2.3.4 5"]) await assert.rejects(slot.holdPorts([held("tcp", ip, 80)]), /port tcp/);
    // To be relayed to something by IPv4 is nothing that a daemon asks for.
    await assert.rejects(slot.holdPorts([held("tcp", "0.0.0.0", 80, "10.66.0.2", 80)]), /port tcp/);
    assert.equal(await slot.holdPorts(mine), undefined);
    assert.deepEqual(
      [await isFree("0.0.0.0", 8000), await isFree("::", 8000), await isFree("127.0.0.1", 8000)],
      [false, false, false],
    );
    // What it says replaces what it said.
    assert.equal(await slot.holdPorts([held("tcp", "127.0.0.1", 8002)]), undefined);
    assert.deepEqual([await isFree("0.0.0.0", 8000), await isFree("127.0.0.1", 8002)], [true, false]);
    assert.equal(await slot.holdPorts([]), undefined);
    assert.equal(await isFree("127.0.0.1", 8002), true);
    // Also where its own network belongs to a user namespace, but not without a network of its own.
    await using mapped = await bed.shim.prepareMonitor({ newNetns: true, newUserns: true });
    assert.equal(await mapped.holdPorts([held("tcp", "0.0.0.0", 80)]), undefined);
    assert.equal(await isFree("0.0.0.0", 80), false);
    await using onHost = await bed.shim.prepareMonitor({ newNetns: false });
    assert.equal((await onHost.holdPorts([held("tcp", "0.0.0.0", 81)]))?.code, "EINVAL");
    other.close();
  });

  test("relay: connections to ::1 and to every IPv6 address reach the container's IPv4 or IPv6 address, from the host's", async () => {
    const hosts = readlinkSync("/proc/self/ns/net");
    await using serving = await serve(bed, [
      held("tcp", "::", 8080, "10.66.0.2", 80),
      held("tcp", "::1", 8081, "fd66::2", 80),
      held("tcp", "::1", 8082, "10.66.0.2", 9),
      held("tcp", "0.0.0.0", 8080),
    ]);
    const inside = readlinkSync(`/proc/${serving.monitorPid}/ns/net`);
    assert.equal(await askTcp("::1", 8080), "hello 10.66.0.1");
    assert.equal(await askTcp("fd66::1", 8080), "hello 10.66.0.1");
    assert.equal(await askTcp("::1", 8081), "hello fd66::1");
    // Nobody serves there; and what nobody leads elsewhere is sent away.
    assert.equal(await askTcp("::1", 8082), "ECONNRESET");
    assert.equal(await askTcp("127.0.0.1", 8080), "ECONNRESET");
    assert.equal(readlinkSync(`/proc/${serving.monitorPid}/ns/net`), inside);
    assert.notEqual(inside, hosts);
  });

  test("relay: many bytes both ways, ends one way alone, resets both ways", async () => {
    await using serving = await serve(
      bed,
      [81, 83, 84].map((port) => held("tcp", "::1", 8000 + port, "10.66.0.2", port)),
    );
    const bytes = Buffer.alloc(5 << 20, "abcdefghijk");
    const echoes = await Promise.all(
      [bytes, bytes, Buffer.from("few")].map(async (each) => await askTcp("::1", 8081, each)),
    );
    assert.deepEqual(echoes, [bytes.toString(), bytes.toString(), "few"]);
    const victim = connect(8083, "::1");
    victim.write("x");
    assert.equal(await answerOf(victim), "ECONNRESET");
    const words: string[] = [];
    serving.server.stdout?.on("data", (chunk: Buffer) => words.push(...chunk.toString().trim().split("\n")));
    const [leaver, breaker] = [connect(8084, "::1"), connect(8084, "::1")];
    await Promise.all([once(leaver, "connect"), once(breaker, "connect")]);
    leaver.write("x");
    breaker.write("x");
    await sleep(100);
    leaver.end();
    await eventually(() => words.length === 1);
    breaker.resetAndDestroy();
    await eventually(() => words.length === 2);
    assert.deepEqual(words, ["ended", "ECONNRESET"]);
    leaver.destroy();
  });

  test("relay: a slow reader slows its writer down, and nothing is lost", async () => {
    await using serving = await serve(bed, [held("tcp", "::1", 8080, "10.66.0.2", 82)]);
    const memory = memoryOf(serving.monitorPid);
    const socket = connect({ port: 8080, host: "::1", allowHalfOpen: true });
    const answer = answerOf(socket);
    const piece = Buffer.alloc(1 << 20);
    let taken = 0;
    for (let pieces = 0; pieces < 64; pieces += 1) socket.write(piece, () => (taken += 1));
    socket.end();
    await sleep(700);
    assert.ok(taken < 40, `${taken} MiB were taken before the server read`);
    assert.ok(memoryOf(serving.monitorPid) - memory < 1024, "the monitor keeps nothing");
    assert.equal(await answer, String(64 << 20));
  });

  test("relay: 1,024 connections at once; the next is refused and told of once, until there is room", async () => {
    await using serving = await serve(bed, [held("tcp", "::1", 8080, "10.66.0.2", 81)]);
    const warnings: string[] = [];
    const watching = (await bed.shim.openMonitor(serving.dir)) ?? assert.fail();
    watching.onWarning((text) => warnings.push(text));
    const sockets: Socket[] = [];
    for (let batch = 0; batch < 16; batch += 1) {
      sockets.push(...(await Promise.all(Array.from({ length: 64 }, async () => await talk()))));
    }
    for (const _ of [1, 2]) assert.equal(await askTcp("::1", 8080, "more"), "ECONNRESET");
    await eventually(() => warnings.length > 0);
    assert.deepEqual(warnings, [
      "more connections to published ports than are relayed at once: the others are refused",
    ]);
    const [last, ...others] = sockets;
    last?.destroy();
    await eventually(async () => (await askTcp("::1", 8080, "again")) === "again");
    for (const socket of others) socket.destroy();
    await watching[Symbol.asyncDispose]();

    async function talk(): Promise<Socket> {
      const socket = connect(8080, "::1");
      socket.write("x");
      const [byte] = (await once(socket, "data")) as [Buffer];
      assert.equal(byte.toString(), "x");
      return socket;
    }
  });

  test("relay: datagrams of many clients, each answered from the address that it asked", async () => {
    execFileSync("ip", ["address", "add", "fd77::7/128", "dev", "lo", "nodad"]);
    await using serving = await serve(bed, [held("udp", "::", 5353, "10.66.0.2", 80), held("udp", "0.0.0.0", 5353)]);
    for (const address of ["::1", "fd77::7", "fd66::1"]) {
      const client = await talkTo(address, 5353);
      for (const text of ["a", "b"]) assert.equal(await askUdp(client, text), `${text} 10.66.0.1`, address);
      client.close();
    }
    // More of them than there are places: those who have been silent for longest make room.
    const clients = await Promise.all(Array.from({ length: 1100 }, async () => await talkTo("::1", 5353)));
    for (const [index, client] of clients.entries())
      assert.equal(await askUdp(client, `${index}`), `${index} 10.66.0.1`);
    const first = clients[0] ?? assert.fail();
    assert.equal(await askUdp(first, "again"), "again 10.66.0.1");
    for (const client of clients) client.close();
    assert.ok(descriptorsOf(serving.monitorPid) < 1100);
  });

  test("leadPorts: leads to the new address, and ends what went to the old one", async () => {
    await using serving = await serve(bed, [
      held("tcp", "::", 8080, "10.66.0.2", 80),
      held("tcp", "::", 8081, "10.66.0.2", 81),
    ]);
    const old = connect(8081, "::1");
    old.write("x");
    await once(old, "data");
    const end = answerOf(old);
    await serving.monitor.leadPorts([
      held("tcp", "::", 8080, "fd66::2", 80),
      held("tcp", "::", 8081),
      held("tcp", "::", 9999),
    ]);
    assert.equal(await end, "ECONNRESET");
    assert.equal(await askTcp("::1", 8080), "hello fd66::1");
    assert.equal(await askTcp("::1", 8081), "ECONNRESET");
    await assert.rejects(serving.monitor.leadPorts([held("tcp", "::", 8080, "nowhere", 80)]), { kind: "invalid" });
    assert.equal(await askTcp("::1", 8080), "hello fd66::1");
  });

  test("holdPorts: the ports are free when the end is told, also after connections, and at once when the monitor is killed", async () => {
    const ports = [
      held("tcp", "::", 8080, "10.66.0.2", 81),
      held("tcp", "0.0.0.0", 8080),
      held("udp", "::", 8080, "10.66.0.2", 80),
    ];
    {
      await using serving = await serve(bed, ports);
      const open = connect(8080, "::1");
      const end = answerOf(open);
      open.write("x");
      await once(open, "data");
      await serving.monitor.signal(9);
      await serving.monitor.exited;
      assert.equal(await end, "ECONNRESET");
      assert.deepEqual([await isFree("::", 8080), await isFree("0.0.0.0", 8080)], [true, true]);
      // The next container gets them although the kernel remembers connections.
      await using slot = await bed.shim.prepareMonitor({ newNetns: true });
      assert.equal(await slot.holdPorts(ports), undefined);
    }
    {
      await using serving = await serve(bed, ports);
      process.kill(serving.monitorPid, "SIGKILL");
      await eventually(async () => (await isFree("::", 8080)) && (await isFree("0.0.0.0", 8080)));
      execFileSync("crun", ["--root", join(bed.dir, "crun"), "delete", "--force", serving.id]);
    }
    assert.equal(execFileSync("ss", ["-Hltun"]).toString(), "");
  });

  test("holdPorts: a start that fails leaves no port behind", async () => {
    const start = await bed.container(["no-such-program"]);
    await using slot = await bed.shim.prepareMonitor({ newNetns: true });
    assert.equal(await slot.holdPorts([held("tcp", "::", 8080, "10.66.0.2", 80)]), undefined);
    await assert.rejects(slot.start(start));
    assert.equal(await isFree("::", 8080), true);
  });
}

function held(protocol: HeldPort["protocol"], hostIp: string, hostPort: number, ip?: string, port = 0): HeldPort {
  return { protocol, hostIp, hostPort, ...(ip !== undefined && { target: { ip, port } }) };
}

async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (await holds()) return;
    await sleep(20);
  }
  assert.fail("it did not come to be");
}

/** Resident memory of a process in KiB. */
function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1]);
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
