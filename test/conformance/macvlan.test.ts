import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { runProgram } from "#fixtures/program";

// A machine outside: a network namespace at the other end of the link that is the networks' parent.
const digits = randomBytes(4).toString("hex");
const [parent, outside] = [`mv${digits}`, `outside-${digits}`];
const lan = ["--subnet", "10.219.7.0/24", "--gateway", "10.219.7.254", "--ip-range", "10.219.7.64/26"];

let daemon: TestDaemon;

before(async () => {
  await ip("netns", "add", outside);
  await ip("link", "add", parent, "type", "veth", "peer", "name", "eth0", "netns", outside);
  await ip("link", "set", parent, "up");
  await ip("-n", outside, "address", "add", "10.219.7.254/24", "dev", "eth0");
  await ip("-n", outside, "link", "set", "eth0", "up");
  daemon = await startDaemon({ busybox: true });
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await ip("netns", "delete", outside);
});

async function ip(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram("ip", args);
  assert.equal(code, 0, `ip ${args.join(" ")}: ${stderr}`);
  return stdout;
}

async function docker(...args: readonly string[]): Promise<string> {
  return await said(daemon, ...args);
}

async function stay(name: string, ...flags: readonly string[]): Promise<void> {
  await docker("run", "-d", "--init", "--name", name, ...flags, "busybox", "sleep", "600");
}

async function reaches(from: string, address: string): Promise<boolean> {
  return (await daemon.docker("exec", from, "ping", "-c", "1", "-W", "2", address)).code === 0;
}

test("macvlan: created, shown with Docker's fields, joined by name and address, reached from outside by a MAC address of its own", async () => {
  const id = await docker("network", "create", "-d", "macvlan", ...lan, "-o", `parent=${parent}`, "lan");
  const [shown] = JSON.parse(await docker("network", "inspect", "lan")) as [Record<string, unknown>];
  assert.deepEqual(
    [shown["Id"], shown["Driver"], shown["Scope"], shown["Internal"], shown["Options"], shown["IPAM"]],
    [
      id,
      "macvlan",
      "local",
      false,
      { parent },
      {
        Driver: "default",
        Options: {},
        Config: [{ Subnet: "10.219.7.0/24", IPRange: "10.219.7.64/26", Gateway: "10.219.7.254" }],
      },
    ],
  );
  assert.equal(
    await docker("network", "ls", "--filter", "driver=macvlan", "--format", "{{.Name}} {{.Driver}}"),
    "lan macvlan",
  );
  assert.match(await docker("info", "-f", "{{.Plugins.Network}}"), /macvlan/);
  await stay(
    "db",
    "--network",
    "lan",
    "--ip",
    "10.219.7.100",
    "--network-alias",
    "store",
    "--mac-address",
    "02:00:5e:00:53:07",
  );
  await stay("web", "--network", "lan");
  for (const name of ["db", "store", "db.lan", "10.219.7.254"]) assert.ok(await reaches("web", name), name);
  assert.match(
    (await daemon.docker("exec", "web", "nslookup", "-type=ptr", "100.7.219.10.in-addr.arpa")).stdout,
    /db\.lan/,
  );
  assert.match(await docker("exec", "web", "ip", "route"), /^default via 10\.219\.7\.254 dev eth0/m);
  assert.equal(
    await docker(
      "inspect",
      "-f",
      "{{range .NetworkSettings.Networks}}{{.IPAddress}}/{{.IPPrefixLen}} {{.Gateway}} {{.MacAddress}}{{end}}",
      "db",
    ),
    "10.219.7.100/24 10.219.7.254 02:00:5e:00:53:07",
  );
  assert.match(await ip("-n", outside, "neighbour", "show", "10.219.7.64"), /02:42:0a:db:07:40/);
  assert.equal(await docker("network", "inspect", "-f", "{{len .Containers}}", "lan"), "2");
  // Again at the same address, as soon as the kernel lets go of it.
  await docker("restart", "-t", "0", "db");
  assert.ok(await reaches("web", "db"));
  // Also in a user namespace of its own.
  const flags = ["-d", "--name", "mapped", "--network", "lan", "--userns", "auto", "busybox", "sleep", "600"];
  const mapped = await daemon.slipway("run", ...flags);
  assert.equal(mapped.code, 0, mapped.stderr);
  assert.ok(await reaches("web", "mapped"));
  await refused(daemon, /network lan has active endpoints/, "network", "rm", "lan");
  await docker("rm", "-f", "db", "web", "mapped");
});

test("macvlan: what is published is nobody's and a warning says so; beside a bridge it is joined and left while it runs", async () => {
  const create = ["create", "--name", "port", "--network", "lan", "-p", "18219:80", "busybox", "sleep", "600"];
  const { code, stderr } = await daemon.docker(...create);
  assert.deepEqual(
    [code, stderr.trim()],
    [0, "WARNING: Published ports are discarded when using macvlan network mode"],
  );
  await docker("start", "port");
  assert.equal(await docker("port", "port"), "");
  await docker("rm", "-f", "port");
  await stay("both", "--add-host", "host:host-gateway");
  const bridge = await docker("network", "inspect", "-f", "{{range .IPAM.Config}}{{.Gateway}}{{end}}", "bridge");
  await docker("network", "connect", "--ip", "10.219.7.90", "--gw-priority", "1", "lan", "both");
  assert.match(await docker("exec", "both", "ip", "route"), /^default via 10\.219\.7\.254 dev eth1/m);
  assert.ok(await reaches("both", "10.219.7.254"));
  await docker("restart", "-t", "0", "both");
  assert.ok(await reaches("both", "10.219.7.254"));
  assert.match(await docker("exec", "both", "cat", "/etc/hosts"), new RegExp(`^${bridge}\\s+host$`, "m"));
  await docker("network", "disconnect", "lan", "both");
  assert.match(await docker("exec", "both", "ip", "route"), new RegExp(`^default via ${bridge} dev eth0`, "m"));
  assert.equal(await reaches("both", "10.219.7.254"), false);
  await docker("rm", "-f", "both");
});

test("macvlan, ipvlan: what cannot be is refused in Docker's words and leaves nothing", async () => {
  const create = ["network", "create", "--subnet", "10.220.7.0/24", "-d"];
  for (const [flags, words] of [
    [["macvlan", "-o", "parent=nowhere0"], /parent interface nowhere0 was not found on the Docker host/],
    [["macvlan", "-o", "parent=lo"], /loopback interface is not a valid macvlan parent link/],
    [["macvlan", "-o", `parent=${parent}`, "-o", "macvlan_mode=x"], /requested macvlan mode 'x' is not valid/],
    [["macvlan", "-o", `parent=${parent}`, "-o", "macvlan_mode=passthru"], /cannot use mode passthru, macvlan network/],
    [["macvlan", "-o", `parent=${parent}`, "--subnet", "10.220.8.0/24"], /doesn't support multiple IPv4 subnets/],
    [["ipvlan", "-o", `parent=${parent}`, "-o", "ipvlan_mode=l4"], /requested ipvlan mode 'l4' is not valid/],
    [["ipvlan", "-o", `parent=${parent}`, "-o", "ipvlan_flag=x"], /requested ipvlan flag 'x' is not valid/],
  ] as const) {
    await refused(daemon, words, ...create, ...flags, "wrong");
  }
  await refused(daemon, /Pool overlaps[^]*the network lan/, "network", "create", "--subnet", "10.219.7.0/25", "wrong");
  assert.equal(await docker("network", "ls", "-q", "--filter", "type=custom", "--filter", "name=wrong"), "");
  // Docker's client does not show warnings of this command.
  const { stderr } = await daemon.slipway(...create, "macvlan", "-o", `parent=${parent}`, "-o", "speed=9", "more");
  assert.match(stderr, /^WARNING: The option speed is not known to the driver macvlan, and does nothing\./);
  await docker("network", "rm", "more");
});

test("macvlan: networks and containers go on with the next daemon; prune and rm leave nothing", async () => {
  await stay("web", "--network", "lan", "--ip", "10.219.7.91");
  await daemon.kill9();
  const ping = ["netns", "exec", outside, process.execPath, "-e", reachScript("10.219.7.91")];
  assert.equal((await runProgram("ip", ping)).stdout, "ECONNREFUSED");
  await daemon.start();
  assert.ok(await reaches("web", "10.219.7.254"));
  assert.equal(await docker("inspect", "-f", "{{.NetworkSettings.Networks.lan.IPAddress}}", "web"), "10.219.7.91");
  await docker("rm", "-f", "web");
  assert.match(await docker("network", "prune", "-f"), /lan/);
  assert.equal(await docker("network", "ls", "-q", "--filter", "type=custom"), "");
  assert.match(await ip("link", "show", parent), /state UP/);
});

/** Says how a connection to a closed port ended: refused by who is there. */
function reachScript(address: string): string {
  return `require("net").connect({ host: "${address}", port: 9 }).on("error", (e) => process.stdout.write(e.code))`;
}
