import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { addressFrom, subnetFrom } from "../addresses/address.ts";
import { NetworkPrograms } from "../programs.ts";
import { ChildShim } from "../testing/child-shim.ts";
import { hostState } from "../testing/lab.ts";
import { inNetns, openNamespace, run } from "../testing/machines.ts";
import { insideOwnNetns } from "../testing/own-netns.ts";
import { openScratchHost } from "../testing/scratch-host.ts";
import {
  type BridgePlan,
  type EndpointPlan,
  bridgeLines,
  bridgeStartLines,
  netnsLine,
  rejoinLines,
  removalLine,
  routeLine,
} from "./link-commands.ts";
import { type Plug, plugIn } from "./plug.ts";

const v4 = { subnet: subnetFrom("10.7.0.0/22"), gateway: addressFrom("10.7.0.1") };
const v6 = { subnet: subnetFrom("fd00:7::/64"), gateway: addressFrom("fd00:7::1") };
const bridge = { name: "br-a.b@c+d", mac: "02:11:22:33:44:55", alias: "network 1 of slipway", mtu: 1400 };
const plan = { link: "slw123456", interface: "eth0", macAddress: "02:42:0a:07:00:02", linkLocal: [] };
const [ipv4, ipv6] = [addressFrom("10.7.0.2"), addressFrom("fd00:7::2")];

const cases: Readonly<Record<string, readonly [BridgePlan, EndpointPlan]>> = {
  ipv4: [
    { ...bridge, ipv4: v4, separates: false },
    { ...plan, ipv4 },
  ],
  "ipv6, apart": [
    { ...bridge, ipv6: v6, separates: true },
    { ...plan, ipv6 },
  ],
  "both, link-local": [
    { ...bridge, ipv4: v4, ipv6: v6, separates: false },
    { ...plan, ipv4, ipv6, linkLocal: [addressFrom("169.254.9.9"), addressFrom("fe80::9")] },
  ],
  "no gateway": [
    { ...bridge, ipv4: { ...v4, gateway: undefined }, separates: false },
    { ...plan, ipv4 },
  ],
};

if (insideOwnNetns(import.meta.url)) {
  for (const [name, [bridgePlan, endpointPlan]] of Object.entries(cases)) {
    test(`changeLinks: does what ip and sysctl do (${name})`, async () => {
      await using host = await openScratchHost();
      const ours = await outcome(new NetworkPrograms(host.shim), bridgePlan, endpointPlan);
      const theirs = await outcome(new NetworkPrograms(new ChildShim()), bridgePlan, endpointPlan);
      assert.deepEqual(ours, theirs);
      assert.match(ours, /02:42:0a:07:00:02/);
    });
  }

  test("changeLinks: the line that fails is named, and ends it; with each all have their turn", async () => {
    await using host = await openScratchHost();
    await using there = await openNamespace();
    const changes = async (...lines: string[]): Promise<void> => await host.shim.changeLinks(lines);
    await assert.rejects(
      changes("link add name one type bridge", "link add name one type bridge", "link set dev one up"),
      {
        kind: "internal",
        message: "ip failed: link add name one type bridge: File exists",
      },
    );
    assert.doesNotMatch(run("ip", "link", "show", "dev", "one"), /,UP/);
    for (const line of [
      "link add name much-too-long-a-name type bridge",
      "link set dev one mtu many",
      "link set dev one address 02:42",
      "link set dev one colour red",
      "link set dev",
      "address add 10.0.0.1 dev one",
      "address add 10.0.0.1/129 dev one",
      "address add 10.0.0.1/24 broadcast fd00::1 dev one",
      "route replace 10.0.0.0/8 via 10.0.0.1 dev one",
      "route replace default dev one",
      "route replace ::/0 via fd00::1 dev one",
      "tunnel add x",
      "sysctl net/ipv4/conf/one/route_localnet",
      "sysctl net/../kernel/core_pattern=x",
      "",
    ]) {
      await assert.rejects(changes(line), { message: /: Invalid argument$/ }, line);
    }
    await assert.rejects(changes("link set dev none up"), { message: /No such device/ });
    await assert.rejects(changes("netns /proc/0/ns/net", removalLine("one")), { message: /No such file/ });
    await host.shim.changeLinks([removalLine("none"), "nonsense", "link set dev one up"], "each");
    assert.match(run("ip", "link", "show", "dev", "one"), /,UP/);
    // What is meant for a container does not happen on the host, also when the namespace is gone.
    await assert.rejects(host.shim.changeLinks(["netns /proc/0/ns/net", removalLine("one")], "each"));
    // After a failure elsewhere, it is at home again.
    await assert.rejects(changes(netnsLine(there.pid), "link add name two type bridge", "link set dev none up"));
    await changes(removalLine("one"));
    assert.ok(!hostState().links.includes("two"));
    assert.match(inNetns(there.pid, "ip", "link", "show", "dev", "two"), /two/);
  });

  test("changeLinks: takes more lines than a frame holds, and goes on when its process was killed", async () => {
    await using host = await openScratchHost();
    const alias = "x".repeat(200);
    const lines = Array.from({ length: 4000 }, (_, index) => `link set dev many alias "${index} ${alias}"`);
    await host.shim.changeLinks(["link add name many type bridge", ...lines]);
    assert.match(run("ip", "link", "show", "dev", "many"), /alias 3999 x/);
    await using there = await openNamespace();
    await host.shim.changeLinks([netnsLine(there.pid), "link add name inside type bridge", ...lines.map(ofInside)]);
    assert.match(inNetns(there.pid, "ip", "link", "show", "dev", "inside"), /alias 3999 x/);
    const [links] = namedProcesses("slipway-links", host.zygote);
    process.kill(links ?? assert.fail("no process"), "SIGKILL");
    while (existsSync(`/proc/${links}/ns/net`)) await sleep(10);
    await host.shim.changeLinks([removalLine("many")]);
    assert.ok(!hostState().links.includes("many"));
  });
}

/** The state of all links, addresses, routes and settings that the plans lead to, then all is taken away. */
async function outcome(programs: NetworkPrograms, bridgePlan: BridgePlan, endpoint: EndpointPlan): Promise<string> {
  await using there = await openNamespace();
  await programs.links([...bridgeLines(bridgePlan), ...bridgeStartLines(bridgePlan)]);
  const gateways = { gateway4: bridgePlan.ipv4?.gateway, gateway6: bridgePlan.ipv6?.gateway };
  const plug: Plug = { plan: endpoint, bridge: bridgePlan, pid: there.pid, ...gateways };
  await plugIn(programs, [plug]);
  const { name } = bridgePlan;
  const host = (...args: string[]): string => run("ip", ...args);
  const inside = (...args: string[]): string => inNetns(there.pid, "ip", ...args);
  await settled(inside);
  const state = [
    host("-details", "link", "show", "dev", name),
    host("-details", "link", "show", "dev", endpoint.link),
    host("address", "show", "dev", name),
    host("address", "show", "dev", endpoint.link),
    host("route", "show", "table", "all"),
    host("-6", "route", "show", "table", "all"),
    inside("-details", "link", "show", "dev", "eth0"),
    inside("address", "show", "dev", "eth0"),
    inside("route", "show", "table", "all"),
    inside("-6", "route", "show", "table", "all"),
    ...["ipv4/conf/NAME/route_localnet", "ipv6/conf/NAME/disable_ipv6", "ipv6/conf/NAME/accept_ra"].map((key) =>
      readFileSync(`/proc/sys/net/${key.replace("NAME", name)}`, "utf8"),
    ),
    inNetns(there.pid, "sysctl", "net/ipv6/conf/eth0/disable_ipv6", "net/ipv6/conf/eth0/accept_dad"),
  ].join("");
  if (gateways.gateway4 !== undefined) {
    await programs.links([netnsLine(there.pid), routeLine({ family: 4, gateway: addressFrom("10.7.0.9") }, "eth0")]);
    assert.match(inside("route"), /default via 10\.7\.0\.9/);
    await programs.links([netnsLine(there.pid), routeLine({ family: 4 }, "eth0")]);
    assert.match(inside("-details", "route"), /unicast default dev eth0 proto boot scope link/);
  }
  if (gateways.gateway6 !== undefined) {
    await programs.links([netnsLine(there.pid), routeLine({ family: 6 }, "eth0")]);
    assert.match(inside("-6", "-details", "route"), /default dev eth0 proto boot scope global/);
  }
  await programs.linksEach([removalLine(name)]);
  await programs.links([...bridgeLines(bridgePlan), ...rejoinLines(endpoint.link, bridgePlan)]);
  const again = host("-details", "link", "show", "dev", endpoint.link);
  await programs.linksEach([removalLine(name), removalLine(endpoint.link)]);
  return withoutChance(`${state}${again}`);
}

/** Until the kernel has made its own addresses and routes. */
async function settled(inside: (...args: string[]) => string): Promise<void> {
  let before = "";
  for (let now = inside("address"); now !== before || now.includes("tentative"); now = inside("address")) {
    before = now;
    await sleep(200);
  }
}

/** Without what differs from run to run: numbers of links, the host's end's MAC address, timers. */
function withoutChance(text: string): string {
  return text
    .replaceAll(/^\d+: /gm, "")
    .replaceAll(/@if\d+/g, "@if")
    .replaceAll(/link-netnsid \d+/g, "link-netnsid")
    .replaceAll(/ether (?!02:)\S+|ether 02:(?!11:22|42:0a)\S+/g, "ether")
    .replaceAll(/\w+_timer +\S+/g, "timer")
    .replaceAll(
      /(?:bridge_slave )?state (?:disabled|forwarding|blocking|listening|learning|UP|DOWN|UNKNOWN|LOWERLAYERDOWN)/g,
      "state",
    )
    .replaceAll(/(?:designated_port|port_id|port_no) \S+/g, "port")
    .replaceAll(/fe80::(?!9)\S+|multicast ff\S+/g, "LOCAL")
    .split("\n")
    .toSorted()
    .join("\n");
}

function ofInside(line: string): string {
  return line.replace("dev many", "dev inside");
}

function namedProcesses(name: string, zygote: number): number[] {
  const text = execFileSync("ps", ["-o", "pid=,comm=", "--ppid", String(zygote)], { encoding: "utf8" });
  return [...text.matchAll(/^\s*(\d+) (.*)$/gm)].flatMap(([, pid, comm]) => (comm === name ? [Number(pid)] : []));
}
