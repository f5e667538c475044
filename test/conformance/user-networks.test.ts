import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { runProgram } from "#fixtures/program";
import { freePort } from "#fixtures/registry";

let daemon: TestDaemon;

before(async () => {
  daemon = await startDaemon({ busybox: true });
});
after(async () => await daemon[Symbol.asyncDispose]());

async function docker(...args: readonly string[]): Promise<string> {
  return await said(daemon, ...args);
}

/** A container that stays. */
async function stay(name: string, ...flags: readonly string[]): Promise<void> {
  await docker("run", "-d", "--init", "--name", name, ...flags, "busybox", "sleep", "600");
}

/** Whether one container reaches an address of another. */
async function reaches(from: string, address: string): Promise<boolean> {
  const end = await daemon.docker("exec", from, "ping", "-c", "1", "-W", "1", address);
  return end.code === 0;
}

async function addressOf(name: string, network: string, field = "IPAddress"): Promise<string> {
  return await docker("inspect", "-f", `{{(index .NetworkSettings.Networks "${network}").${field}}}`, name);
}

async function routesOf(name: string): Promise<string> {
  return await docker("exec", name, "ip", "route");
}

test("network create: prints its id; ls, inspect with Docker's fields, labels, filters; rm", async () => {
  const id = await docker("network", "create", "--label", "team=a", "--subnet", "10.211.1.0/24", "solo");
  assert.match(id, /^[0-9a-f]{64}$/);
  const [shown] = JSON.parse(await docker("network", "inspect", "solo")) as [Record<string, unknown>];
  assert.equal(shown["Id"], id);
  assert.deepEqual(
    { ...shown, Id: "", Created: "" },
    {
      Name: "solo",
      Id: "",
      Created: "",
      Scope: "local",
      Driver: "bridge",
      EnableIPv4: true,
      EnableIPv6: false,
      IPAM: { Driver: "default", Options: {}, Config: [{ Subnet: "10.211.1.0/24", Gateway: "10.211.1.1" }] },
      Internal: false,
      Attachable: false,
      Ingress: false,
      ConfigFrom: { Network: "" },
      ConfigOnly: false,
      Containers: {},
      Options: {},
      Labels: { team: "a" },
    },
  );
  assert.equal(await docker("network", "ls", "-q", "--no-trunc", "--filter", "label=team=a"), id);
  assert.equal(
    await docker("network", "ls", "--filter", "type=custom", "--format", "{{.Name}} {{.Driver}}"),
    "solo bridge",
  );
  assert.equal(await docker("network", "ls", "--filter", "dangling=true", "--format", "{{.Name}}"), "solo");
  assert.equal(await docker("network", "rm", "solo"), "solo");
  assert.equal(await docker("network", "ls", "-q", "--filter", "name=solo"), "");
});

test("network create: what is wrong is told in Docker's words, and nothing is left", async () => {
  await docker("network", "create", "--subnet", "10.212.0.0/16", "wide");
  for (const [flags, words] of [
    [["wide"], /network with name wide already exists/],
    [["bridge"], /operation is not permitted on predefined bridge network/],
    [["--subnet", "10.212.5.0/24", "inner"], /Pool overlaps with other one on this address space[^]*the network wide/],
    [
      ["--subnet", "10.213.0.0/24", "--gateway", "10.214.0.1", "astray"],
      /no matching subnet for gateway 10\.214\.0\.1/,
    ],
    [["--subnet", "10.213.0.1/24", "host-bits"], /it should be 10\.213\.0\.0\/24/],
    [["-d", "overlay", "far"], /not a swarm manager/],
    [["-d", "nothing", "odd"], /plugin "nothing" not found/],
    [["-o", "com.docker.network.bridge.enable_icc=perhaps", "icc"], /true or false/],
  ] as const) {
    await refused(daemon, words, "network", "create", ...flags);
  }
  await docker("network", "rm", "wide");
  assert.equal(await docker("network", "ls", "--filter", "type=custom", "-q"), "");
});

test("containers of one network reach each other, those of different ones do not, also not by routing around", async () => {
  await docker("network", "create", "red");
  await docker("network", "create", "blue");
  await stay("r1", "--network", "red", "--cap-add", "NET_ADMIN");
  await stay("r2", "--network", "red");
  await stay("b1", "--network", "blue");
  await stay("plain");
  const [r2, b1] = [await addressOf("r2", "red"), await addressOf("b1", "blue")];
  assert.ok(await reaches("r1", r2));
  assert.ok(!(await reaches("r1", b1)));
  assert.ok(!(await reaches("plain", b1)));
  assert.ok(!(await reaches("b1", await addressOf("plain", "bridge"))));
  await docker("exec", "r1", "ip", "route", "add", b1, "via", await addressOf("r1", "red", "Gateway"));
  assert.ok(!(await reaches("r1", b1)), "by a route of its own");
  await refused(daemon, /network red has active endpoints/, "network", "rm", "red");
  await docker("rm", "-f", "r1", "r2", "b1", "plain");
  await docker("network", "rm", "red", "blue");
});

test("several networks: at create and by connect and disconnect while it runs; routes, addresses, MAC and names of interfaces", async () => {
  await docker("network", "create", "--subnet", "10.215.1.0/24", "first");
  await docker("network", "create", "--subnet", "10.215.2.0/24", "second");
  await docker("network", "create", "--subnet", "10.215.3.0/24", "third");
  const long = "name=second,ip=10.215.2.9,mac-address=02:42:00:00:00:77,gw-priority=5";
  await stay("multi", "--network", "first", "--network", long, "--ip", "10.215.1.7");
  assert.equal(await addressOf("multi", "first"), "10.215.1.7");
  assert.equal(await addressOf("multi", "second"), "10.215.2.9");
  assert.equal(await addressOf("multi", "second", "MacAddress"), "02:42:00:00:00:77");
  assert.match(await routesOf("multi"), /default via 10\.215\.2\.1/);
  await docker("network", "connect", "--ip", "10.215.3.5", "--alias", "friend", "third", "multi");
  assert.equal(await addressOf("multi", "third"), "10.215.3.5");
  assert.match(await docker("exec", "multi", "ip", "-o", "address", "show", "dev", "eth2"), /10\.215\.3\.5\/24/);
  await refused(daemon, /already exists in network third/, "network", "connect", "third", "multi");
  await docker("network", "disconnect", "second", "multi");
  assert.match(await routesOf("multi"), /default via 10\.215\.1\.1/);
  assert.ok(!(await routesOf("multi")).includes("10.215.2."));
  await refused(daemon, /is not connected to network second/, "network", "disconnect", "second", "multi");
  await docker("restart", "-t", "0", "multi");
  assert.equal(await addressOf("multi", "first"), "10.215.1.7");
  assert.equal(await addressOf("multi", "third"), "10.215.3.5");
  const members = await docker(
    "network",
    "inspect",
    "third",
    "-f",
    "{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}",
  );
  assert.equal(members, "multi 10.215.3.5/24");
  await docker("stop", "-t", "0", "multi");
  await docker("network", "connect", "second", "multi");
  await docker("start", "multi");
  assert.match(await addressOf("multi", "second"), /^10\.215\.2\./);
  await docker("rm", "-f", "multi");
  await docker("network", "rm", "first", "second", "third");
});

test("an internal network reaches nothing outside, and of the host its gateway alone", async () => {
  await docker("network", "create", "--internal", "inside");
  await stay("in1", "--network", "inside");
  await stay("in2", "--network", "inside");
  await stay("out1");
  assert.ok(await reaches("in1", await addressOf("in2", "inside")));
  assert.ok(!(await routesOf("in1")).includes("default"));
  assert.ok(!(await reaches("in1", await addressOf("out1", "bridge"))));
  await docker("rm", "-f", "in1", "in2", "out1");
  await docker("network", "rm", "inside");
});

test("IPv6: addresses of its own choice and unique local ones, between containers, published, without IPv4", async () => {
  await docker("network", "create", "--ipv6", "dual");
  await docker("network", "create", "--ipv4=false", "--ipv6", "--subnet", "fd12:3456:789a:1::/64", "six");
  await stay("d1", "--network", "dual");
  await stay("d2", "--network", "dual");
  const six = await addressOf("d2", "dual", "GlobalIPv6Address");
  assert.match(six, /^fd/);
  assert.ok(await reaches("d1", six));
  assert.ok(await reaches("d1", await addressOf("d2", "dual")));
  await stay("s1", "--network", "six", "--ip6", "fd12:3456:789a:1::99");
  assert.equal(await addressOf("s1", "six", "GlobalIPv6Address"), "fd12:3456:789a:1::99");
  assert.equal(await addressOf("s1", "six"), "");
  assert.ok(!(await reaches("d1", "fd12:3456:789a:1::99")));
  const port = await freePort();
  const script = `mkdir /w; echo six > /w/index.html; exec httpd -f -p [::]:80 -h /w`;
  await docker("run", "-d", "--name", "web6", "--network", "dual", "-p", `${port}:80`, "busybox", "sh", "-c", script);
  const ports = (await docker("port", "web6")).split("\n");
  assert.deepEqual(ports, [`80/tcp -> 0.0.0.0:${port}`, `80/tcp -> [::]:${port}`]);
  await docker("run", "-d", "--name", "free6", "--network", "dual", "-p", "80", "busybox", "sleep", "600");
  const numbers = (await docker("port", "free6", "80")).split("\n").map((line) => line.split(":").at(-1));
  assert.equal(numbers.length, 2);
  assert.equal(numbers[0], numbers[1], "one ephemeral number for both families");
  await docker("rm", "-f", "d1", "d2", "s1", "web6", "free6");
  await docker("network", "rm", "dual", "six");
});

test("icc off separates neighbours; prune takes networks that nobody is in", async () => {
  await docker("network", "create", "-o", "com.docker.network.bridge.enable_icc=false", "apart");
  await stay("a1", "--network", "apart");
  await stay("a2", "--network", "apart");
  assert.ok(!(await reaches("a1", await addressOf("a2", "apart"))));
  await docker("network", "create", "idle");
  assert.match(await docker("network", "prune", "-f"), /Deleted Networks:\nidle/);
  assert.equal(await docker("network", "ls", "--filter", "type=custom", "--format", "{{.Name}}"), "apart");
  await docker("rm", "-f", "a1", "a2");
  await docker("network", "rm", "apart");
});

test("somebody flushes the firewall: it is there again within seconds, and the daemon says so", async () => {
  const port = await freePort();
  const script = "mkdir /w; echo here > /w/index.html; exec httpd -f -p 80 -h /w";
  await docker("run", "-d", "--name", "shown", "-p", `${port}:80`, "busybox", "sh", "-c", script);
  const table = async (): Promise<string> =>
    (await runProgram("nft", ["list", "table", "inet", daemon.instance])).stdout.replaceAll(
      /(?:packets|bytes) \d+/g,
      "",
    );
  const whole = await table();
  assert.match(whole, /published4/);
  for (const damage of ["delete table", "flush table"]) {
    assert.equal((await runProgram("nft", [...damage.split(" "), "inet", daemon.instance])).code, 0);
    assert.notEqual(await table(), whole, damage);
    for (let tries = 0; tries < 100 && (await table()) !== whole; tries += 1) await sleep(50);
    assert.equal(await table(), whole, damage);
  }
  const answer = await fetch(`http://127.0.0.1:${port}/index.html`, { signal: AbortSignal.timeout(3000) });
  assert.equal((await answer.text()).trim(), "here");
  assert.match(await daemon.log(), /somebody removed parts of the firewall; it was written anew/);
  await docker("rm", "-f", "shown");
});

test("a killed daemon: networks, containers in them and what reaches them are there with the next one", async () => {
  await docker("network", "create", "--subnet", "10.216.1.0/24", "lasting");
  await stay("l1", "--network", "lasting");
  await stay("l2", "--network", "lasting");
  const [l1, l2] = [await addressOf("l1", "lasting"), await addressOf("l2", "lasting")];
  await daemon.kill9();
  await daemon.start();
  assert.equal(await addressOf("l1", "lasting"), l1);
  assert.ok(await reaches("l1", l2));
  await docker("rm", "-f", "l1");
  await stay("l3", "--network", "lasting");
  assert.notEqual(await addressOf("l3", "lasting"), l1, "the next in turn, as addresses are used again last of all");
  assert.ok(await reaches("l3", l2));
  await docker("rm", "-f", "l2", "l3");
  await docker("network", "rm", "lasting");
});
