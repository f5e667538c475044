import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";
import { runProgram } from "#fixtures/program";

let daemon: TestDaemon;

before(async () => {
  daemon = await startDaemon({ busybox: true });
  await docker("network", "create", "--subnet", "10.217.1.0/24", "town");
  await docker("network", "create", "--subnet", "10.217.2.0/24", "--internal", "vault");
});
after(async () => await daemon[Symbol.asyncDispose]());

async function docker(...args: readonly string[]): Promise<string> {
  return await said(daemon, ...args);
}

async function stay(name: string, ...flags: readonly string[]): Promise<void> {
  await docker("run", "-d", "--init", "--name", name, ...flags, "busybox", "sleep", "600");
}

/** The addresses that a container is told for a name; none when it is told that there are none. */
async function lookUp(from: string, name: string, type = "a"): Promise<string[]> {
  const { stdout } = await daemon.docker("exec", from, "nslookup", `-type=${type}`, name);
  const answers = stdout.slice(stdout.indexOf("\n\n"));
  return [...answers.matchAll(/^(?:Address: |.*name = )(\S+)$/gm)].map(([, found = ""]) => found).sort();
}

async function resolverPid(): Promise<number> {
  const log = await readFile(join(daemon.roots.execRoot, "names/resolver.log"), "utf8");
  return Number([...log.matchAll(/pid=(\d+)/g)].at(-1)?.[1]);
}

test("names: container, alias, short id, several with one alias, the network's own name behind; reverse; none of other networks", async () => {
  await stay("db", "--network", "town", "--network-alias", "store", "--ip", "10.217.1.10");
  await stay("db2", "--network", "town", "--network-alias", "store", "--ip", "10.217.1.11");
  await stay("web", "--network", "town");
  await stay("alone", "--network", "vault");
  const id = await docker("inspect", "-f", "{{slice .Id 0 12}}", "db");
  assert.equal(
    await docker("exec", "web", "cat", "/etc/resolv.conf").then((text) => text.split("\n")[0]),
    "nameserver 127.0.0.11",
  );
  for (const name of ["db", "DB", id, "db.town"]) assert.deepEqual(await lookUp("web", name), ["10.217.1.10"], name);
  assert.deepEqual(await lookUp("web", "store"), ["10.217.1.10", "10.217.1.11"]);
  assert.deepEqual(await lookUp("web", "10.1.217.10.in-addr.arpa", "ptr"), ["db.town"]);
  assert.deepEqual(await lookUp("alone", "db"), []);
  assert.deepEqual(await lookUp("web", "host.docker.internal"), ["10.217.1.1"]);
  assert.equal((await daemon.docker("exec", "web", "ping", "-c", "1", "-W", "1", "db")).code, 0);
});

test("names: they come and go with connect, disconnect, rename and removal, also on the default bridge", async () => {
  await docker("network", "connect", "--alias", "guest", "town", "alone");
  assert.equal((await lookUp("web", "guest")).length, 1);
  assert.deepEqual(await lookUp("alone", "db"), ["10.217.1.10"]);
  await docker("network", "disconnect", "town", "alone");
  assert.deepEqual(await lookUp("web", "guest"), []);
  await docker("rename", "db2", "archive");
  assert.deepEqual(await lookUp("web", "archive"), ["10.217.1.11"]);
  assert.deepEqual(await lookUp("web", "db2"), []);
  await docker("rm", "-f", "archive");
  assert.deepEqual(await lookUp("web", "archive"), []);
  await stay("plain1");
  await stay("plain2");
  const address = await docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "plain2");
  assert.deepEqual(await lookUp("plain1", "plain2"), [address]);
  await docker("rm", "-f", "plain1", "plain2");
});

test("names: others are asked of --dns, from the host; a server of the container's own has its port 53", async () => {
  const upstream = createSocket("udp4");
  upstream.on("message", (message, { port, address }) => {
    // The question back as an answer: 192.0.2.77 for every name.
    const answer = Buffer.concat([
      message.subarray(0, message.length),
      Buffer.from("c00c000100010000003c0004c000024d", "hex"),
    ]);
    answer.writeUInt16BE(0x8180, 2);
    answer.writeUInt16BE(1, 6);
    upstream.send(answer, port, address);
  });
  upstream.bind(53, "127.0.0.77");
  await once(upstream, "listening");
  await stay("asks", "--network", "town", "--dns", "127.0.0.77");
  assert.deepEqual(await lookUp("asks", "outside.example"), ["192.0.2.77"]);
  assert.deepEqual(await lookUp("asks", "db"), ["10.217.1.10"]);
  upstream.close();
  await docker("exec", "-d", "asks", "sh", "-c", "nc -l -p 53 -s 0.0.0.0; echo bound");
  await docker("rm", "-f", "asks");
});

test("names: answered while no daemon runs, after kill -9 of it, and again after kill -9 of the resolver", async () => {
  const pid = await docker("inspect", "-f", "{{.State.Pid}}", "web");
  await daemon.kill9();
  const inside = ["--target", pid, "--net", "--mount", "--root"];
  const { stdout } = await runProgram("nsenter", [...inside, "/bin/nslookup", "-type=a", "db"]);
  assert.match(stdout, /10\.217\.1\.10/);
  await daemon.start();
  assert.deepEqual(await lookUp("web", "db"), ["10.217.1.10"]);
  process.kill(await resolverPid(), "SIGKILL");
  for (let tries = 0; tries < 100; tries += 1) {
    if ((await lookUp("web", "db")).length > 0) break;
    await sleep(50);
  }
  assert.deepEqual(await lookUp("web", "db"), ["10.217.1.10"]);
});
