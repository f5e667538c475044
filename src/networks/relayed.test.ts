import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attachment } from "./networks.ts";
import { inNetwork, ipv4Of, openLab, pools, port } from "./testing/lab.ts";
import { askTcp, askTcpFrom, askUdp, askUdpFrom, openNeighbour, run, serve } from "./testing/machines.ts";
import { insideOwnNetns } from "./testing/own-netns.ts";
import { openScratchHost, startIn } from "./testing/scratch-host.ts";

if (insideOwnNetns(import.meta.url)) {
  const ports = [port("tcp", 8080, 80), port("udp", 8080, 80)];

  test("relay: a container with IPv4 alone is reached by ::1, the host's IPv6 addresses, other machines and containers", async () => {
    await using neighbour = await openNeighbour();
    await using host = await openScratchHost();
    await using lab = await openLab({ shim: host.shim });
    await lab.network("six", { ipv6: true, ipam: pools("10.90.0.0/24", "fd90::/64") });
    const web = await lab.attach("web", [...ports, port("tcp", 8081, 80, "::1"), port("tcp", 8082, 80, "2001:db8::1")]);
    const near = await lab.attach("near", [], inNetwork("six"));
    {
      await using _server = await serve(web.slot.pid, 80);
      await using _container = await startIn(web.slot);
      assert.deepEqual(shown(web), [
        "tcp 0.0.0.0 8080",
        "tcp :: 8080",
        "udp 0.0.0.0 8080",
        "udp :: 8080",
        "tcp ::1 8081",
        "tcp 2001:db8::1 8082",
      ]);
      for (const ask of [askTcp, askUdp]) {
        for (const address of ["127.0.0.1", "::1", "2001:db8::1", "172.17.0.1"])
          assert.equal(await ask(address, 8080), "hello 172.17.0.1", `${ask.name} ${address}`);
        assert.equal(await ask("198.51.100.1", 8080), "hello 198.51.100.1");
      }
      for (const ask of [askTcpFrom, askUdpFrom]) {
        assert.equal(ask(neighbour.pid, "198.51.100.1", 8080), "hello 198.51.100.2");
        assert.equal(ask(neighbour.pid, "2001:db8::1", 8080), "hello 172.17.0.1");
        assert.equal(ask(near.slot.pid, "2001:db8::1", 8080), "hello 172.17.0.1");
        assert.equal(ask(near.slot.pid, "fd90::1", 8080), "hello 172.17.0.1");
        assert.equal(ask(web.slot.pid, "172.17.0.1", 8080), "hello 172.17.0.1");
      }
      assert.equal(await askTcp("::1", 8081), "hello 172.17.0.1");
      assert.equal(await askTcp("2001:db8::1", 8081), "ECONNREFUSED");
      assert.equal(askTcpFrom(neighbour.pid, "2001:db8::1", 8081), "ECONNREFUSED");
      assert.equal(askTcpFrom(neighbour.pid, "2001:db8::1", 8082), "hello 172.17.0.1");
      assert.equal(await askTcp("::1", 8082), "ECONNREFUSED");
    }
    assert.equal(await askTcp("::1", 8080), "ECONNREFUSED");
    await lab.networks.release("web");
    await near[Symbol.asyncDispose]();
  });

  test("relay: a container with IPv6 is reached by ::1 too, and by all else with its client's address", async () => {
    await using neighbour = await openNeighbour();
    await using host = await openScratchHost();
    await using lab = await openLab({ shim: host.shim });
    await lab.network("six", { ipv6: true, ipam: pools("10.90.0.0/24", "fd90::/64") });
    const web = await lab.attach("web", [...ports, port("tcp", 8081, 80, "::1")], inNetwork("six"));
    {
      await using _server = await serve(web.slot.pid, 80);
      await using _container = await startIn(web.slot);
      for (const ask of [askTcp, askUdp]) {
        assert.equal(await ask("::1", 8080), "hello fd90::1");
        assert.equal(await ask("2001:db8::1", 8080), "hello 2001:db8::1");
        assert.equal(await ask("fd90::1", 8080), "hello fd90::1");
        assert.equal(await ask("127.0.0.1", 8080), "hello 10.90.0.1");
      }
      assert.equal(await askTcp("::1", 8081), "hello fd90::1");
      for (const ask of [askTcpFrom, askUdpFrom])
        assert.equal(ask(neighbour.pid, "2001:db8::1", 8080), "hello 2001:db8::2");
      assert.equal(askTcpFrom(neighbour.pid, "2001:db8::1", 8081), "ECONNREFUSED");
    }
    await lab.networks.release("web");
  });

  test("relay: leads to the address that the container is published by now", async () => {
    await using host = await openScratchHost();
    await using lab = await openLab({ shim: host.shim });
    const { id } = await lab.network("alpha");
    const web = await lab.attach("web", ports);
    {
      await using _server = await serve(web.slot.pid, 80);
      await using container = await startIn(web.slot);
      const lead = async (): Promise<void> => await container.monitor.leadPorts(lab.networks.heldPortsOf("web"));
      assert.equal(await askTcp("::1", 8080), "hello 172.17.0.1");
      const { ipv4 } = await lab.networks.connect("web", inNetwork("alpha"), web.slot.pid);
      await lead();
      for (const ask of [askTcp, askUdp]) assert.equal(await ask("::1", 8080), `hello ${ipv4?.gateway}`);
      await lab.networks.disconnect("web", id, web.slot.pid);
      await lead();
      for (const ask of [askTcp, askUdp]) assert.equal(await ask("::1", 8080), "hello 172.17.0.1");
      await lab.networks.disconnect("web", lab.networks.find("bridge").id, web.slot.pid);
      await lead();
      assert.equal(await askTcp("::1", 8080), "ECONNRESET");
    }
    await lab.networks.release("web");
  });

  test("relay: no way out of an internal network, whose containers reach other services of their gateway", async () => {
    await using host = await openScratchHost();
    await using lab = await openLab({ shim: host.shim });
    const vault = { ipv6: true, internal: true, ipam: pools("10.91.0.0/24", "fd91::/64") };
    await lab.network("vault", vault);
    await lab.network("six", { ipv6: true, ipam: pools("10.90.0.0/24", "fd90::/64") });
    const inside = await lab.attach("inside", [], inNetwork("vault"));
    const near = await lab.attach("near", [], inNetwork("six"));
    const web = await lab.attach("web", [...ports, port("tcp", 8081, 80, "fd91::1")]);
    {
      await using _server = await serve(web.slot.pid, 80);
      await using _host = await serve(process.pid, 7000);
      await using _container = await startIn(web.slot);
      assert.equal(await askTcp("fd91::1", 8081), "hello 172.17.0.1");
      assert.equal(askTcpFrom(near.slot.pid, "fd90::1", 8080), "hello 172.17.0.1");
      for (const number of [8080, 8081]) assert.equal(askTcpFrom(inside.slot.pid, "fd91::1", number), "ETIMEDOUT");
      assert.equal(askUdpFrom(inside.slot.pid, "fd91::1", 8080), "ETIMEDOUT");
      assert.equal(askTcpFrom(inside.slot.pid, "fd91::1", 7000), "hello fd91::2");
    }
    await lab.networks.release("web");
    for (const each of [inside, near]) await each[Symbol.asyncDispose]();
  });

  test("attach: a host without IPv6 publishes by IPv4 alone", async () => {
    run("sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=1");
    try {
      await using host = await openScratchHost();
      await using lab = await openLab({ shim: host.shim });
      await using web = await lab.attach("web", ports);
      assert.deepEqual(shown(web), ["tcp 0.0.0.0 8080", "udp 0.0.0.0 8080"]);
      assert.match(ipv4Of(web), /^172\.17\./);
    } finally {
      run("sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=0");
    }
  });
}

function shown({ attached }: Attachment): string[] {
  return attached.ports.map(({ protocol, hostIp, hostPort }) => `${protocol} ${hostIp} ${hostPort}`);
}
