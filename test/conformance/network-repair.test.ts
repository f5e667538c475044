import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "#fixtures/collectors";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { mustRun } from "#fixtures/program";
import { freePort } from "#fixtures/registry";

let daemon: TestDaemon;

before(async () => {
  daemon = await startDaemon({ busybox: true });
});
after(async () => await daemon[Symbol.asyncDispose]());

async function docker(...args: readonly string[]): Promise<string> {
  return await said(daemon, ...args);
}

async function stay(name: string, ...flags: readonly string[]): Promise<void> {
  await docker("run", "-d", "--init", "--name", name, ...flags, "busybox", "sleep", "600");
}

test("somebody deletes bridges: they are there again within seconds, with their containers and ports, and the daemon says so", async () => {
  const port = await freePort();
  const script = "mkdir /w; echo here > /w/index.html; exec httpd -f -p 80 -h /w";
  await docker("network", "create", "town");
  const serve = ["busybox", "sh", "-c", script];
  await docker("run", "-d", "--name", "web", "-p", `127.0.0.1:${port}:80`, ...serve);
  await docker("run", "-d", "--name", "hall", "--network", "town", ...serve);
  await stay("guest", "--network", "town");
  const name = ["network", "inspect", "-f", '{{index .Options "com.docker.network.bridge.name"}}', "bridge"];
  const town = `br-${(await docker("network", "inspect", "-f", "{{.Id}}", "town")).slice(0, 12)}`;
  const since = Math.floor(Date.now() / 1000);
  for (const bridge of [await docker(...name), town]) await mustRun("ip", ["link", "delete", bridge]);
  const answers = async (): Promise<boolean> => {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(500) });
      return (await answer.text()) === "here\n";
    } catch {
      return false;
    }
  };
  await until(answers, () => "the published port does not answer");
  const ping = ["exec", "guest", "ping", "-c", "1", "-W", "1", "hall"] as const;
  await until(
    async () => (await daemon.docker(...ping)).code === 0,
    async () => await daemon.docker(...ping),
  );
  assert.equal(await docker("exec", "guest", "wget", "-qO-", "http://hall/"), "here");
  assert.match(await daemon.log(), /somebody removed a bridge, or its addresses; it was brought back.*network=town/);
  const events = [
    "events",
    "--since",
    `${since}`,
    "--until",
    (Date.now() / 1000).toFixed(3),
    "--filter",
    "event=bridge",
  ];
  const told = await docker(...events, "--format", "{{.Actor.Attributes.network}}");
  assert.deepEqual(told.split("\n").sort(), ["bridge", "town"]);
  await docker("rm", "-f", "web", "hall", "guest");
  await docker("network", "rm", "town");
});

test("inspect: SandboxKey is the container's network namespace, while it runs", async () => {
  await stay("keyed");
  const key = await docker("inspect", "-f", "{{.NetworkSettings.SandboxKey}}", "keyed");
  const address = await docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "keyed");
  assert.ok((await mustRun("nsenter", [`--net=${key}`, "ip", "-4", "address", "show", "eth0"])).includes(address));
  await docker("stop", "-t", "0", "keyed");
  assert.equal(await docker("inspect", "-f", "{{.NetworkSettings.SandboxKey}}", "keyed"), "");
  await docker("rm", "keyed");
});

test("network disconnect --force: of a container that is gone, in Docker's words; of a network that is gone, for a stopped one", async () => {
  await docker("network", "create", "brief");
  await refused(daemon, "endpoint nobody not found", "network", "disconnect", "-f", "brief", "nobody");
  await refused(daemon, "network nowhere not found", "network", "disconnect", "-f", "nowhere", "nobody");
  await stay("resting");
  await docker("network", "connect", "brief", "resting");
  await docker("stop", "-t", "0", "resting");
  await docker("network", "rm", "brief");
  await refused(daemon, "network brief not found", "start", "resting");
  await docker("network", "disconnect", "-f", "brief", "resting");
  await docker("start", "resting");
  await refused(daemon, "network brief not found", "network", "disconnect", "-f", "brief", "resting");
  await docker("rm", "-f", "resting");
});

test("--link: by the docker CLI, two running containers: names in /etc/hosts and by query, variables, and the new address after a restart", async () => {
  await stay("store", "--expose", "5432", "-e", "MODE=fast");
  await stay("holder");
  await stay("app", "--link", "store:db", "--link", "holder");
  const address = await docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "store");
  const id = (await docker("inspect", "-f", "{{.Id}}", "store")).slice(0, 12);
  const inside = async (...command: readonly string[]): Promise<string> => await docker("exec", "app", ...command);
  assert.ok((await inside("cat", "/etc/hosts")).split("\n").includes(`${address}\tdb ${id} store`));
  for (const name of ["db", "store", "holder", id]) await inside("ping", "-c", "1", "-W", "2", name);
  const variables = (await inside("env")).split("\n").filter((line) => /^(?:DB|HOLDER)_/.test(line));
  assert.deepEqual(variables.sort(), [
    "DB_ENV_MODE=fast",
    "DB_NAME=/app/db",
    `DB_PORT=tcp://${address}:5432`,
    `DB_PORT_5432_TCP=tcp://${address}:5432`,
    `DB_PORT_5432_TCP_ADDR=${address}`,
    "DB_PORT_5432_TCP_PORT=5432",
    "DB_PORT_5432_TCP_PROTO=tcp",
    "HOLDER_NAME=/app/holder",
  ]);
  const links = await docker("inspect", "-f", "{{json .HostConfig.Links}}", "app");
  assert.deepEqual((JSON.parse(links) as string[]).sort(), ["/holder:/app/holder", "/store:/app/db"]);
  await docker("restart", "-t", "0", "store");
  await docker("restart", "-t", "0", "app");
  const moved = await docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "store");
  assert.notEqual(moved, address);
  assert.match(await inside("ping", "-c", "1", "-W", "2", "db"), new RegExp(moved.replaceAll(".", "\\.")));
  await docker("rm", "-f", "app", "store", "holder");
});

test("names: the resolver is killed while a container asks without pause: it answers again within a second, though the daemon is asked nothing", async () => {
  await docker("network", "create", "asking");
  await stay("db", "--network", "asking");
  await stay("asker", "--network", "asking");
  const pid = await docker("inspect", "-f", "{{.State.Pid}}", "asker");
  const log = await readFile(join(daemon.roots.execRoot, "names/resolver.log"), "utf8");
  const resolver = Number([...log.matchAll(/pid=(\d+)/g)].at(-1)?.[1]);
  // A query for `db A` every two milliseconds; each answer is told by its time.
  const script = `
    const head = Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 0x64, 0x62, 0, 0, 1, 0, 1]);
    const u = require("dgram").createSocket("udp4");
    u.on("message", (answer) => { if (answer[7] === 1) console.log(Date.now()); });
    setInterval(() => u.send(head, 53, "127.0.0.11"), 2);`;
  const child = spawn("nsenter", [`--net=/proc/${pid}/ns/net`, process.execPath, "-e", script], { stdio: "pipe" });
  const times: number[] = [];
  child.stdout.on("data", (chunk: Buffer) => times.push(...chunk.toString().trim().split("\n").map(Number)));
  try {
    await once(child.stdout, "data");
    await sleep(300);
    process.kill(resolver, "SIGKILL");
    const killedMs = Date.now();
    const back = (): number | undefined => times.find((time) => time > killedMs + 20);
    await until(
      () => back() !== undefined,
      () => times.length,
    );
    // A process of Node has to start; the machine may be busy.
    assert.ok((back() ?? Infinity) - killedMs < 5000, `${(back() ?? 0) - killedMs} ms`);
  } finally {
    child.kill("SIGKILL");
    await once(child, "close");
  }
  await docker("rm", "-f", "db", "asker");
  await docker("network", "rm", "asking");
});
