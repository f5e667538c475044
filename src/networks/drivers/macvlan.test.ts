import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Attachment } from "../networks.ts";
import { type Lab, hostState, inNetwork, ipv4Of, ipv6Of, openLab, port } from "../testing/lab.ts";
import { addressesIn, askTcp, askTcpFrom, inNetns, openNeighbour, routesIn, run, serve } from "../testing/machines.ts";
import { lan, lan6, macvlan, next, subnets } from "../testing/outer.ts";
import { insideOwnNetns } from "../testing/own-netns.ts";

if (insideOwnNetns(import.meta.url)) {
  test("macvlan: containers are machines of the outer network, with addresses of the host's own subnet, and reach each other", async () => {
    await using neighbour = await openNeighbour();
    inNetns(neighbour.pid, "ip", "address", "add", "203.0.113.1/32", "dev", "lo");
    // The other machine answers for its IPv6 addresses when its kernel is sure of them.
    while (inNetns(neighbour.pid, "ip", "-6", "address", "show", "dev", "out0", "tentative") !== "") await sleep(20);
    await using lab = await openLab();
    const before = hostState();
    const made = await lab.networks.create(macvlan("lan", {}, { ipv6: true, ipam: subnets(lan, lan6) }));
    assert.deepEqual(made.warnings, []);
    const network = lab.networks.find("lan");
    assert.deepEqual([network.driver, network.options], ["macvlan", { parent: "up0" }]);
    assert.deepEqual(network.ipam.pools, [lan, lan6]);
    const [one, two] = [await lab.attach("one", [], inNetwork("lan")), await lab.attach("two", [], inNetwork("lan"))];
    // Neither a bridge nor a rule nor the end of a link.
    assert.deepEqual(hostState(), before);
    assert.deepEqual([ipv4Of(one), ipv6Of(one)], ["198.51.100.64", "2001:db8::3"]);
    assert.deepEqual(routesIn(one.slot.pid), ["198.51.100.2 eth0", "2001:db8::2 eth0"]);
    await using _outside = await serve(neighbour.pid, 7000);
    await using _inside = await serve(one.slot.pid, 80);
    for (const [server, client] of [
      ["198.51.100.2", ipv4Of(one)],
      ["2001:db8::2", ipv6Of(one)],
      ["203.0.113.1", ipv4Of(one)],
    ] as const) {
      assert.equal(askTcpFrom(one.slot.pid, server, 7000), `hello ${client}`, server);
    }
    assert.equal(askTcpFrom(neighbour.pid, ipv4Of(one), 80), "hello 198.51.100.2");
    assert.equal(askTcpFrom(neighbour.pid, ipv6Of(one), 80), "hello 2001:db8::2");
    assert.equal(askTcpFrom(two.slot.pid, ipv4Of(one), 80), `hello ${ipv4Of(two)}`);
    assert.equal(askTcpFrom(two.slot.pid, ipv6Of(one), 80), `hello ${ipv6Of(two)}`);
    // Outside each has a MAC address of its own, which follows from its address.
    assert.match(inNetns(neighbour.pid, "ip", "neighbour", "show", ipv4Of(one)), /02:42:c6:33:64:40/);
    // The kernel passes nothing between a parent and its own links.
    assert.match(await askTcp(ipv4Of(one), 80), /EHOSTUNREACH|ETIMEDOUT/);
  });

  test("macvlan: private ones do not reach each other, and are reached from outside", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    await lab.networks.create(macvlan("lan", { macvlan_mode: "private" }));
    const [one, two] = [await lab.attach("one", [], inNetwork("lan")), await lab.attach("two", [], inNetwork("lan"))];
    await using _inside = await serve(one.slot.pid, 80);
    assert.equal(askTcpFrom(neighbour.pid, ipv4Of(one), 80), "hello 198.51.100.2");
    assert.match(askTcpFrom(two.slot.pid, ipv4Of(one), 80), /EHOSTUNREACH|ETIMEDOUT/);
  });

  test("macvlan: passthru gives the parent to one container alone, with its MAC address or one of its choice", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    const parentMac = macOf("up0");
    await lab.networks.create(macvlan("lan", { macvlan_mode: "passthru" }));
    const one = await lab.attach("one", [], inNetwork("lan"));
    assert.equal(one.attached.endpoints[0]?.macAddress, parentMac);
    {
      // It has the namespace for as long as it runs.
      await using _inside = await serve(one.slot.pid, 80);
      assert.equal(askTcpFrom(neighbour.pid, ipv4Of(one), 80), "hello 198.51.100.2");
    }
    await assert.rejects(lab.attach("two", [], inNetwork("lan")), {
      kind: "conflict",
      remedy: "With macvlan_mode=passthru one container alone has the interface up0, and name-of-one has it.",
    });
    await end(lab, "one", one);
    const own = await lab.attach("own", [], inNetwork("lan", { macAddress: "02-00-5E-00-53-01" }));
    assert.equal(own.attached.endpoints[0]?.macAddress, "02:00:5e:00:53:01");
    assert.match(inNetns(own.slot.pid, "ip", "link", "show", "eth0"), /02:00:5e:00:53:01/);
    await end(lab, "own", own);
    // The kernel gives it back with the namespace.
    for (let tries = 0; tries < 100 && macOf("up0") !== parentMac; tries += 1) await sleep(20);
    assert.equal(macOf("up0"), parentMac);
    for (const [mode, message] of [
      ["bridge", /^macvlan network [0-9a-f]{64} is already using parent interface up0 in mode passthru$/],
      ["passthru", /^cannot use mode passthru, macvlan network [0-9a-f]{64} is already using parent interface up0$/],
    ] as const) {
      await assert.rejects(lab.networks.create(macvlan("other", { macvlan_mode: mode }, { ipam: subnets(next) })), {
        kind: "forbidden",
        message,
      });
    }
  });

  test("macvlan: beside a bridge, joined and left while it runs; routes, MAC address and the way of its ports follow", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    await lab.networks.create(macvlan("lan"));
    const shown = (): unknown => lab.networks.attachedOf("web")?.ports.map(({ hostPort }) => hostPort);
    const web = await lab.attach("web", [port("tcp", 8080, 80)]);
    web.keep();
    await using _inside = await serve(web.slot.pid, 80);
    assert.match(await askTcp("127.0.0.1", 8080), /^hello 172\.17/);
    const request = inNetwork("lan", { ipv4: "198.51.100.77", macAddress: "02:00:5e:00:53:02", gatewayPriority: 1 });
    const endpoint = await lab.networks.connect("web", request, web.slot.pid);
    assert.deepEqual([endpoint.interface, endpoint.macAddress], ["eth1", "02:00:5e:00:53:02"]);
    assert.deepEqual(addressesIn(web.slot.pid, "eth1"), ["198.51.100.77/24"]);
    assert.deepEqual(routesIn(web.slot.pid), ["198.51.100.2 eth1"]);
    assert.equal(askTcpFrom(neighbour.pid, "198.51.100.77", 80), "hello 198.51.100.2");
    assert.match(inNetns(neighbour.pid, "ip", "neighbour", "show", "198.51.100.77"), /02:00:5e:00:53:02/);
    // Answers would leave by the other network: the host publishes nothing of it.
    assert.deepEqual(shown(), []);
    await lab.networks.disconnect("web", lab.networks.find("lan").id, web.slot.pid);
    assert.deepEqual(routesIn(web.slot.pid), ["172.17.0.1 eth0"]);
    assert.doesNotMatch(inNetns(web.slot.pid, "ip", "link"), /eth1/);
    assert.deepEqual(shown(), [8080, 8080]);
    assert.match(await askTcp("127.0.0.1", 8080), /^hello 172\.17/);
    // The address is free again, at once.
    assert.equal(ipv4Of(await lab.attach("next", [], inNetwork("lan", { ipv4: "198.51.100.77" }))), "198.51.100.77");
  });

  test("macvlan: a container that starts again with the address of its own takes it as soon as the kernel lets go", async () => {
    await using neighbour = await openNeighbour();
    await using lab = await openLab();
    await lab.networks.create(macvlan("lan"));
    for (let round = 0; round < 5; round += 1) {
      const one = await lab.attach("one", [], inNetwork("lan", { ipv4: "198.51.100.70" }));
      await using _server = await serve(one.slot.pid, 80);
      assert.equal(askTcpFrom(neighbour.pid, "198.51.100.70", 80), "hello 198.51.100.2", `round ${round}`);
      await end(lab, "one", one);
    }
  });

  test("macvlan: published ports are nobody's, and a gateway is there only when it was named", async () => {
    await using _neighbour = await openNeighbour();
    await using lab = await openLab();
    await lab.networks.create(macvlan("lan", {}, { ipam: subnets({ subnet: "198.51.100.0/24", auxiliary: {} }) }));
    const one = await lab.attach("one", [port("tcp", 8080, 80)], inNetwork("lan"));
    assert.deepEqual([one.attached.ports, routesIn(one.slot.pid)], [[], []]);
    assert.deepEqual(lab.networks.find("lan").ipam.pools, [{ subnet: "198.51.100.0/24", auxiliary: {} }]);
    assert.equal(one.attached.endpoints[0]?.ipv4?.gateway, "");
    await using _server = await serve(one.slot.pid, 80);
    assert.equal(await askTcp("127.0.0.1", 8080), "ECONNREFUSED");
    // A free subnet where none was asked for.
    const chosen = await lab.networks.create(macvlan("chosen", {}, { ipam: subnets() }));
    assert.deepEqual(lab.networks.find(chosen.id).ipam.pools, [{ subnet: "172.18.0.0/22", auxiliary: {} }]);
    await lab.networks.create(macvlan("inner", {}, { internal: true, ipam: subnets(next) }));
    assert.deepEqual(routesIn((await lab.attach("two", [], inNetwork("inner"))).slot.pid), []);
  });

  test("macvlan: without a named gateway the routers of the outer network are heard, with one they are not", async () => {
    await using _neighbour = await openNeighbour();
    await using lab = await openLab();
    const { gateway: _, ...open6 } = lan6;
    await lab.networks.create(macvlan("lan", {}, { ipv6: true, ipam: subnets(lan, open6) }));
    const hears = async (id: string): Promise<string> => {
      const attachment = await lab.attach(id, [], inNetwork("lan"));
      const { slot } = attachment;
      const heard = inNetns(slot.pid, "cat", "/proc/sys/net/ipv6/conf/eth0/accept_ra").trim();
      await end(lab, id, attachment);
      return heard;
    };
    assert.equal(await hears("one"), "1");
    await lab.networks.remove("lan");
    await lab.networks.create(macvlan("lan", {}, { ipv6: true, ipam: subnets(lan, lan6) }));
    assert.equal(await hears("two"), "0");
  });

  test("macvlan: several networks share a parent, their subnets may not; others of ours clash as ever", async () => {
    await using _neighbour = await openNeighbour();
    await using lab = await openLab();
    await lab.networks.create(macvlan("lan"));
    await lab.networks.create(macvlan("more", {}, { ipam: subnets(next) }));
    const message = "invalid pool request: Pool overlaps with other one on this address space";
    await assert.rejects(lab.networks.create(macvlan("third")), { kind: "forbidden", message });
    await assert.rejects(lab.network("bridged", { ipam: subnets(next) }), { kind: "forbidden", message });
  });
}

/** The container ends, as far as its networks are concerned. */
async function end(lab: Lab, containerId: string, attachment: Attachment): Promise<void> {
  await attachment.slot[Symbol.asyncDispose]();
  await lab.networks.release(containerId);
}

function macOf(link: string): string {
  const [row] = JSON.parse(run("ip", "-json", "link", "show", "dev", link)) as { address: string }[];
  return row?.address ?? "";
}
