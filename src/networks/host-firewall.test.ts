import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { hostFirewallPrograms } from "#fixtures/host-firewalls";
import type { Attachment, PortRequest } from "./networks.ts";
import { inNetwork, type Lab, openLab, pools, port } from "./testing/lab.ts";
import { mountFirewalls, startFirewalld, startUfw, startNetavark, writeDockerRules } from "./testing/host-firewalls.ts";
import {
  askTcp,
  askTcpFrom,
  askUdp,
  askUdpFrom,
  listenOnly,
  openNeighbour,
  run,
  serve,
  talk,
} from "./testing/machines.ts";
import { insideOwnNetns } from "./testing/own-netns.ts";

const here = ["198.51.100.1", "2001:db8::1"] as const;
const theirs = ["198.51.100.2", "2001:db8::2"] as const;
const both = [port("tcp", 8080, 80), port("udp", 8080, 80)];

// Fetched where there is a network.
const programs = await hostFirewallPrograms();

if (insideOwnNetns(import.meta.url)) {
  mountFirewalls(programs);
  // Nothing comes in by another way than an answer would go.
  run("sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=1");

  test("networks: beside ufw a published port is reached when ufw allows it, by the client's own address", async () => {
    using firewall = startUfw();
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    const web = await servesAt(lab, [...both, exposed(port("tcp", 8081, 80)), port("udp", 8082, 82)]);
    await using _server = await serve(web.slot.pid, 80);
    assert.equal(askTcpFrom(neighbour.pid, here[0], 8080), "ETIMEDOUT");
    assert.equal(askUdpFrom(neighbour.pid, here[1], 8080), "ETIMEDOUT");
    assert.equal(askTcpFrom(neighbour.pid, here[0], 8081), `hello ${theirs[0]}`);
    assert.equal(askTcpFrom(neighbour.pid, here[1], 8081), `hello ${theirs[1]}`);
    // What runs here is not asked for.
    assert.match(await askTcp("127.0.0.1", 8080), /^hello /);
    assert.match(await askTcp(here[1], 8080), /^hello /);
    assert.match(await askUdp(here[0], 8080), /^hello /);

    firewall.ufw("allow", "8080");
    firewall.ufw("allow", "8082/udp");
    mustReach(neighbour.pid, 8080);
    // Nobody answers: for ufw each packet is a new connection, to be routed.
    await using sink = await listenOnly(web.slot.pid, 82);
    await using sender = await talk(neighbour.pid, here[0], 8082);
    await sender.sent();
    assert.ok(sink.received() >= 8, `${sink.received()} of 10 packets`);

    firewall.ufw("delete", "allow", "8080");
    firewall.ufw("deny", "8080");
    assert.equal(askTcpFrom(neighbour.pid, here[0], 8080), "ETIMEDOUT");
    assert.equal(askUdpFrom(neighbour.pid, here[0], 8080), "ETIMEDOUT");
    await mustLeaveWithRemedy(lab, web, neighbour.pid, /^ufw drops .*; ufw route allow in on br-\w+$/);
  });

  test("networks: beside firewalld a published port is reached when its zone allows it, by the client's own address", async () => {
    await using firewall = await startFirewalld();
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    const web = await servesAt(lab, [...both, exposed(port("tcp", 8081, 80))]);
    await using _server = await serve(web.slot.pid, 80);
    assert.equal(askTcpFrom(neighbour.pid, here[0], 8080), "EHOSTUNREACH");
    assert.match(askTcpFrom(neighbour.pid, here[1], 8080), /^E/);
    assert.equal(askTcpFrom(neighbour.pid, here[0], 8081), `hello ${theirs[0]}`);
    firewall.cmd("--add-port=8080/tcp", "--add-port=8080/udp");
    mustReach(neighbour.pid, 8080);
    firewall.cmd("--remove-port=8080/tcp");
    assert.equal(askTcpFrom(neighbour.pid, here[0], 8080), "EHOSTUNREACH");
    await mustLeaveWithRemedy(
      lab,
      web,
      neighbour.pid,
      /^firewalld drops .*--add-interface=br-\w+ && firewall-cmd --reload$/,
    );
  });

  test("networks: beside Docker, whose forward policy drops all that is not its own, the remedy opens the ways", async () => {
    using _rules = writeDockerRules();
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    const web = await servesAt(lab, both);
    await using _server = await serve(web.slot.pid, 80);
    await mustLeaveWithRemedy(
      lab,
      web,
      neighbour.pid,
      /^Docker's forward policy drops .*; iptables -I DOCKER-USER -i br-.*; ip6tables -I DOCKER-USER -o br-\w+ -j ACCEPT$/,
    );
    mustReach(neighbour.pid, 8080);
  });

  test("networks: beside Podman's networks nothing is in the way", async () => {
    await using podman = await startNetavark();
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    const web = await servesAt(lab, both);
    await using _server = await serve(web.slot.pid, 80);
    await using _podmans = await serve(podman.pid, 80);
    assert.deepEqual(await lab.networks.obstacles(), []);
    mustReach(neighbour.pid, 8080);
    assert.equal(askTcpFrom(neighbour.pid, here[0], 7070), `hello ${theirs[0]}`);
    for (const pid of [web.slot.pid, podman.pid]) {
      await using _outside = await serve(neighbour.pid, 9000);
      assert.equal(askTcpFrom(pid, theirs[0], 9000), `hello ${here[0]}`);
    }
    assert.match(askTcpFrom(podman.pid, here[0], 8080), /^hello /);
  });

  test("networks: firewall docker publishes past the host's input policy, but for containers that say otherwise", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab({ firewall: "docker" });
    const judged = { ...port("tcp", 8083, 80), exposed: false };
    const web = await servesAt(lab, [...both, judged]);
    await using _server = await serve(web.slot.pid, 80);
    assert.equal(askTcpFrom(neighbour.pid, here[0], 8083), `hello ${theirs[0]}`);
    // What goes out is denied too, but for the usual.
    const usual = 'oif "lo" accept; ct state established accept; meta l4proto icmpv6 accept;';
    const chains = ["input", "output"].map(
      (hook) => `chain ${hook} { type filter hook ${hook} priority 0; policy drop; ${usual} };`,
    );
    run("nft", `table inet host { ${chains.join(" ")} }`);
    try {
      mustReach(neighbour.pid, 8080);
      assert.equal(askTcpFrom(neighbour.pid, here[0], 8083), "ETIMEDOUT");
    } finally {
      run("nft", "delete table inet host");
    }
  });
}

async function servesAt(lab: Lab, ports: readonly PortRequest[]): Promise<Attachment> {
  await lab.network("dual", { ipv6: true, ipam: pools("10.91.0.0/24", "fd91::/64") });
  return await lab.attach("web", ports, inNetwork("dual"));
}

function exposed(request: PortRequest): PortRequest {
  return { ...request, exposed: true };
}

/** From the other machine, by both families and protocols, with its own address seen inside. */
function mustReach(pid: number, portNumber: number): void {
  for (const [index, address] of here.entries()) {
    assert.equal(askTcpFrom(pid, address, portNumber), `hello ${theirs[index]}`);
    assert.equal(askUdpFrom(pid, address, portNumber), `hello ${theirs[index]}`);
  }
}

/** The way out is closed, the daemon says by whom and what opens it, and that is true. */
async function mustLeaveWithRemedy(lab: Lab, web: Attachment, outside: number, expected: RegExp): Promise<void> {
  await using _outside = await serve(outside, 9000);
  assert.match(askTcpFrom(web.slot.pid, theirs[0], 9000), /^E/);
  const obstacles = await lab.networks.obstacles();
  assert.match(obstacles.map(({ text, remedy }) => `${text}: ${remedy}`).join("\n"), expected);
  for (const { remedy } of obstacles) {
    const end = spawnSync("sh", ["-c", remedy], { encoding: "utf8" });
    assert.equal(end.status, 0, `${remedy}: ${end.stderr}`);
  }
  assert.deepEqual(await lab.networks.obstacles(), []);
  assert.equal(askTcpFrom(web.slot.pid, theirs[0], 9000), `hello ${here[0]}`);
  assert.equal(askTcpFrom(web.slot.pid, theirs[1], 9000), `hello ${here[1]}`);
}
