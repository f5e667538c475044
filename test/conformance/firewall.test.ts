import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { mustRun, runProgram } from "#fixtures/program";

/** The elements of sets in the daemon's table. */
async function elements(daemon: TestDaemon, set: string): Promise<string> {
  const text = await mustRun("nft", ["list", "set", "inet", daemon.instance, set]);
  return /elements = \{([^}]*)\}/.exec(text)?.[1]?.trim() ?? "";
}

test("firewall: the host's own judges published ports; the label io.slipway.expose opens those that it names", async () => {
  await using daemon = await startDaemon({ busybox: true });
  assert.match((await daemon.slipway("info")).stdout, /Firewall Backend: nftables\n {2}Published ports: respect\n/);
  const ports = ["-p", "127.0.0.1::80", "-p", "127.0.0.1::81", "-p", "127.0.0.1::53/udp"];
  const label = ["--label", "io.slipway.expose=80,53/udp"];
  await said(daemon, "run", "-d", "--init", "--name", "web", ...ports, ...label, "busybox", "sleep", "600");
  const numbers = Object.fromEntries(
    (await said(daemon, "port", "web")).split("\n").map((line) => {
      const [, port = "", number = ""] = /^(\S+) -> 127\.0\.0\.1:(\d+)$/.exec(line) ?? [];
      return [port, number];
    }),
  );
  assert.equal(await elements(daemon, "judged4_at"), `127.0.0.1 . tcp . ${numbers["81/tcp"]}`);
  const exposed = await elements(daemon, "exposed4_at");
  assert.match(exposed, new RegExp(`127.0.0.1 . tcp . ${numbers["80/tcp"]}\\b`));
  assert.match(exposed, new RegExp(`127.0.0.1 . udp . ${numbers["53/udp"]}\\b`));
  const shown = "{{json .NetworkSettings.SlipwayExposed}}";
  const { stdout } = await daemon.slipway("inspect", "-f", shown, "web");
  assert.deepEqual(JSON.parse(stdout), ["53/udp", "80/tcp"]);
  assert.match(
    (await daemon.slipway("port", "--exposure", "web", "80")).stdout,
    /^127\.0\.0\.1:\d+ {2}this host alone\n$/,
  );
  await refused(
    daemon,
    /invalid value of the label io\.slipway\.expose: "http"/,
    "create",
    "--label",
    "io.slipway.expose=http",
    "busybox",
  );
  // The tables that copy packets are kept as the first one is.
  await mustRun("nft", ["delete", "table", "ip", daemon.instance]);
  const list = async (): Promise<number> => (await runProgram("nft", ["list", "table", "ip", daemon.instance])).code;
  for (let tries = 0; tries < 100 && (await list()) !== 0; tries += 1) await sleep(50);
  assert.equal(await list(), 0);
  await said(daemon, "rm", "-f", "web");
  assert.equal(await elements(daemon, "exposed4_at"), "");
});

test("firewall: the setting docker of the configuration file opens all ports but those of containers that say otherwise", async (context) => {
  const file = `/tmp/slipway-firewall-${process.pid}.json`;
  await writeFile(file, JSON.stringify({ firewall: "docker" }));
  context.after(async () => await rm(file));
  await using daemon = await startDaemon({ busybox: true, args: ["--config-file", file] });
  const stay = ["busybox", "sleep", "600"];
  await said(daemon, "run", "-d", "--init", "--name", "open", "-p", "127.0.0.1::80", ...stay);
  const none = ["--label", "io.slipway.expose=none"];
  await said(daemon, "run", "-d", "--init", "--name", "shut", "-p", "127.0.0.1::80", ...none, ...stay);
  const number = async (name: string): Promise<string> => (await said(daemon, "port", name, "80")).split(":")[1] ?? "";
  assert.equal(await elements(daemon, "exposed4_at"), `127.0.0.1 . tcp . ${await number("open")}`);
  assert.equal(await elements(daemon, "judged4_at"), `127.0.0.1 . tcp . ${await number("shut")}`);
});

test("firewall: in a routed network docker shows a published port without one of the host", async () => {
  await using daemon = await startDaemon({ busybox: true });
  const routed = ["-o", "com.docker.network.bridge.gateway_mode_ipv4=routed"];
  await said(daemon, "network", "create", ...routed, "--subnet", "10.211.77.0/24", "own");
  const flags = ["--network", "own", "-p", "8080:80", "--ip", "10.211.77.9"];
  await said(daemon, "run", "-d", "--init", "--name", "web", ...flags, "busybox", "sleep", "600");
  assert.equal(
    await said(daemon, "inspect", "-f", "{{json .NetworkSettings.Ports}}", "web"),
    '{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":""}]}',
  );
  assert.equal(await said(daemon, "ps", "--format", "{{.Ports}}"), "80/tcp");
  assert.equal(await elements(daemon, "reached4"), "10.211.77.9 . tcp . 80");
});
