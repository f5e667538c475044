import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attachment, PortRequest } from "./networks.ts";
import { inNetwork, type Lab, openLab, pools, port } from "./testing/lab.ts";
import { hideHostSettings, startFirewalld, startUfw } from "./testing/host-firewalls.ts";
import { askTcp, askTcpFrom, askUdp, askUdpFrom, openNeighbour, serve } from "./testing/machines.ts";
import { insideOwnNetns } from "./testing/own-netns.ts";

const here = ["198.51.100.1", "2001:db8::1"] as const;
const theirs = ["198.51.100.2", "2001:db8::2"] as const;

if (insideOwnNetns(import.meta.url)) {
  hideHostSettings("/etc/ufw", "/etc/default", "/etc/firewalld");

  test("networks: beside ufw a published port is reached when ufw allows it, by the client's own address", async () => {
    using firewall = startUfw();
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    const web = await servesAt(lab, [port("tcp", 8080, 80), port("udp", 8080, 80), exposed(port("tcp", 8081, 80))]);
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
    mustReach(neighbour.pid, 8080);
    firewall.ufw("delete", "allow", "8080");
    firewall.ufw("deny", "8080");
    assert.equal(askTcpFrom(neighbour.pid, here[0], 8080), "ETIMEDOUT");
    assert.equal(askUdpFrom(neighbour.pid, here[0], 8080), "ETIMEDOUT");
  });

  test("networks: beside firewalld a published port is reached when its zone allows it, by the client's own address", async () => {
    await using firewall = await startFirewalld();
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    const web = await servesAt(lab, [port("tcp", 8080, 80), port("udp", 8080, 80), exposed(port("tcp", 8081, 80))]);
    await using _server = await serve(web.slot.pid, 80);
    assert.equal(askTcpFrom(neighbour.pid, here[0], 8080), "EHOSTUNREACH");
    assert.match(askTcpFrom(neighbour.pid, here[1], 8080), /^E/);
    assert.equal(askTcpFrom(neighbour.pid, here[0], 8081), `hello ${theirs[0]}`);
    firewall.cmd("--add-port=8080/tcp", "--add-port=8080/udp");
    mustReach(neighbour.pid, 8080);
    firewall.cmd("--remove-port=8080/tcp");
    assert.equal(askTcpFrom(neighbour.pid, here[0], 8080), "EHOSTUNREACH");
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
