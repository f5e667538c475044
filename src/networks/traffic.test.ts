import assert from "node:assert/strict";
import { test } from "node:test";
import { inNetwork, ipv4Of, openLab, pools, port } from "./testing/lab.ts";
import {
  askTcp,
  askTcpFrom,
  askUdp,
  askUdpFrom,
  inNetns,
  openNeighbour,
  run,
  serve,
  talk,
} from "./testing/machines.ts";
import { insideOwnNetns } from "./testing/own-netns.ts";

if (insideOwnNetns(import.meta.url)) {
  test("attach: a published port answers on 127.0.0.1, the host's addresses and from other machines", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    const { slot, attached } = await lab.attach("web", [port("tcp", 8080, 80), port("udp", 8080, 80)]);
    await using _server = await serve(slot.pid, 80);
    assert.equal(ipv4Of({ attached }), "172.17.0.2");
    for (const ask of [askTcp, askUdp]) {
      assert.equal(await ask("127.0.0.1", 8080), "hello 172.17.0.1", ask.name);
      assert.equal(await ask("198.51.100.1", 8080), "hello 198.51.100.1", ask.name);
      assert.equal(await ask("172.17.0.2", 80), "hello 172.17.0.1", ask.name);
    }
    // The source address of another machine is seen as it is.
    assert.equal(askTcpFrom(neighbour.pid, "198.51.100.1", 8080), "hello 198.51.100.2");
    assert.equal(askUdpFrom(neighbour.pid, "198.51.100.1", 8080), "hello 198.51.100.2");
    await lab.networks.release("web");
    assert.equal(await askTcp("127.0.0.1", 8080), "ECONNREFUSED");
  });

  test("attach: containers reach published ports through the host's address, also their own", async () => {
    await using _neighbour = await openNeighbour();
    await using lab = await openLab();
    const web = await lab.attach("web", [port("tcp", 8080, 80)]);
    const client = await lab.attach("client");
    await using _server = await serve(web.slot.pid, 80);
    // Whether or not the machine filters what its bridges pass on.
    for (const filtered of ["1", "0"]) {
      run("sysctl", "-e", "-q", "-w", `net.bridge.bridge-nf-call-iptables=${filtered}`);
      assert.equal(askTcpFrom(client.slot.pid, "198.51.100.1", 8080), "hello 172.17.0.1");
      assert.equal(askTcpFrom(client.slot.pid, "172.17.0.1", 8080), "hello 172.17.0.1");
      assert.equal(askTcpFrom(web.slot.pid, "198.51.100.1", 8080), "hello 172.17.0.1");
    }
    assert.equal(askTcpFrom(client.slot.pid, "172.17.0.2", 80), `hello ${ipv4Of(client)}`);
  });

  test("attach: containers reach other machines as the host, which cannot reach them but by published ports", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    const { slot } = await lab.attach("web", [port("tcp", 8080, 80)]);
    await using _outside = await serve(neighbour.pid, 9000);
    await using _server = await serve(slot.pid, 80);
    await using _hidden = await serve(slot.pid, 81);
    assert.equal(askTcpFrom(slot.pid, "198.51.100.2", 9000), "hello 198.51.100.1");
    assert.equal(askUdpFrom(slot.pid, "198.51.100.2", 9000), "hello 198.51.100.1");
    inNetns(neighbour.pid, "ip", "route", "add", "172.17.0.0/16", "via", "198.51.100.1");
    assert.equal(askTcpFrom(neighbour.pid, "172.17.0.2", 81), "ETIMEDOUT");
    assert.equal(askTcpFrom(neighbour.pid, "172.17.0.2", 80), "ETIMEDOUT");
  });

  test("attach: a port published on 127.0.0.1 is the host's alone, and containers do not reach its loopback", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    const web = await lab.attach("web", [port("tcp", 8080, 80, "127.0.0.1")]);
    const other = await lab.attach("other");
    await using _server = await serve(web.slot.pid, 80);
    await using _host = await serve(process.pid, 7000);
    assert.equal(await askTcp("127.0.0.1", 8080), "hello 172.17.0.1");
    assert.equal(askTcpFrom(neighbour.pid, "198.51.100.1", 8080), "ECONNREFUSED");
    assert.equal(askTcpFrom(other.slot.pid, "172.17.0.1", 8080), "ECONNREFUSED");
    // A container with enough rights may send packets for 127.0.0.1 to the bridge.
    inNetns(other.slot.pid, "sysctl", "-q", "-w", "net.ipv4.conf.all.route_localnet=1");
    inNetns(other.slot.pid, "ip", "route", "del", "local", "127.0.0.0/8", "dev", "lo", "table", "local");
    inNetns(other.slot.pid, "ip", "route", "del", "local", "127.0.0.1", "dev", "lo", "table", "local");
    inNetns(other.slot.pid, "ip", "route", "add", "127.0.0.0/8", "via", "172.17.0.1", "src", ipv4Of(other));
    assert.equal(askTcpFrom(other.slot.pid, "127.0.0.1", 7000), "ETIMEDOUT");
    assert.equal(askTcpFrom(other.slot.pid, "127.0.0.1", 8080), "ETIMEDOUT");
  });

  test("attach: ports of an IPv6 network answer on both families, on one address alone, and to a neighbour with its source", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    await lab.network("six", { ipv6: true, ipam: pools("10.90.0.0/24", "fd90::/64") });
    const ports = [port("tcp", 8080, 80), port("udp", 8080, 80), port("tcp", 8081, 80, "2001:db8::1")];
    const web = await lab.attach("web", ports, inNetwork("six"));
    const [near, far] = [await lab.attach("near", [], inNetwork("six")), await lab.attach("far")];
    await using _server = await serve(web.slot.pid, 80);
    assert.deepEqual(
      web.attached.ports.map(({ protocol, hostIp, hostPort }) => `${protocol} ${hostIp} ${hostPort}`),
      ["tcp 0.0.0.0 8080", "tcp :: 8080", "udp 0.0.0.0 8080", "udp :: 8080", "tcp 2001:db8::1 8081"],
    );
    for (const ask of [askTcp, askUdp]) {
      assert.equal(await ask("127.0.0.1", 8080), "hello 10.90.0.1");
      assert.equal(await ask("2001:db8::1", 8080), "hello 2001:db8::1");
    }
    for (const ask of [askTcpFrom, askUdpFrom]) {
      assert.equal(ask(neighbour.pid, "198.51.100.1", 8080), "hello 198.51.100.2");
      assert.equal(ask(neighbour.pid, "2001:db8::1", 8080), "hello 2001:db8::2");
      for (const { slot } of [web, near]) assert.equal(ask(slot.pid, "2001:db8::1", 8080), "hello fd90::1");
    }
    assert.equal(askTcpFrom(far.slot.pid, "172.17.0.1", 8080), "hello 10.90.0.1");
    assert.equal(askTcpFrom(neighbour.pid, "2001:db8::1", 8081), "hello 2001:db8::2");
    assert.equal(askTcpFrom(neighbour.pid, "198.51.100.1", 8081), "ECONNREFUSED");
    await lab.networks.release("web");
    assert.equal(askTcpFrom(neighbour.pid, "2001:db8::1", 8080), "ECONNREFUSED");
  });

  test("attach: a host binding of the network is where its ports are", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    await lab.network("mine", { options: { "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1" } });
    const { slot, attached } = await lab.attach("web", [port("tcp", 8080, 80)], inNetwork("mine"));
    await using _server = await serve(slot.pid, 80);
    assert.equal(await askTcp("127.0.0.1", 8080), `hello ${attached.endpoints[0]?.ipv4?.gateway}`);
    assert.equal(askTcpFrom(neighbour.pid, "198.51.100.1", 8080), "ECONNREFUSED");
  });

  test("attach: the host's services are reached by the gateway's address", async () => {
    await using lab = await openLab();
    await lab.network("shop", { ipv6: true, ipam: pools("10.90.0.0/24", "fd90::/64") });
    const { slot } = await lab.attach("web", [], inNetwork("shop"));
    await using _host = await serve(process.pid, 7000);
    assert.equal(askTcpFrom(slot.pid, "10.90.0.1", 7000), "hello 10.90.0.2");
    assert.equal(askTcpFrom(slot.pid, "fd90::1", 7000), "hello fd90::2");
  });

  test("attach: a client that has been sending UDP all along reaches the port from its publication on", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    await using talker = await talk(neighbour.pid, "198.51.100.1", 5353);
    await talker.sent();
    assert.equal(talker.heard(), 0);
    const { slot } = await lab.attach("dns", [port("udp", 5353, 53)]);
    await using _server = await serve(slot.pid, 53);
    await talker.sent();
    assert.ok(talker.heard() > 0);
  });

  test("attach: two instances share the host without sharing anything else", async () => {
    await using two = await openLab({ instance: "slipway-222222" });
    await using one = await openLab({ instance: "slipway-111111" });
    // Both choose a subnet at once.
    const [first, second] = await Promise.all([one.attach("a"), two.attach("b")]);
    const address = ipv4Of(first);
    const addresses = new Set([address, ipv4Of(second)]);
    assert.deepEqual(addresses, new Set(["172.17.0.2", "172.18.0.2"]));
    await using _server = await serve(first.slot.pid, 80);
    assert.equal(askTcpFrom(second.slot.pid, address, 80), "ETIMEDOUT");
    await two.networks.release("b");
    await two.networks.close();
    assert.match(run("nft", "list", "tables"), /slipway-111111/);
    assert.equal(await askTcp(address, 80), `hello ${first.attached.endpoints[0]?.ipv4?.gateway}`);
    await one.networks.release("a");
  });
}
