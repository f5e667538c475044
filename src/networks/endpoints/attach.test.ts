import assert from "node:assert/strict";
import { test } from "node:test";
import { hostState, inNetwork, ipv4Of, ipv6Of, openLab, pools } from "../testing/lab.ts";
import { addressesIn, inNetns, routesIn } from "../testing/machines.ts";
import { insideOwnNetns } from "../testing/own-netns.ts";

const ifname = "com.docker.network.endpoint.ifname";

if (insideOwnNetns(import.meta.url)) {
  test("attach: to one network, with addresses, MAC and interface of its own choice", async () => {
    await using lab = await openLab();
    await lab.network("shop", { ipv6: true, ipam: pools("10.80.0.0/24", "fd80::/64") });
    const { slot, attached } = await lab.attach(
      "web",
      [],
      inNetwork("shop", {
        ipv4: "10.80.0.77",
        ipv6: "fd80::77",
        macAddress: "02:00:00:00:00:77",
        linkLocal: ["169.254.7.7", "fe80::77"],
        aliases: ["www"],
        options: { [ifname]: "lan0", "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1" },
      }),
    );
    const [endpoint] = attached.endpoints;
    assert.deepEqual(
      { ...endpoint, id: "", networkId: "" },
      {
        id: "",
        networkId: "",
        networkName: "shop",
        ipv4: { address: "10.80.0.77", prefixLength: 24, gateway: "10.80.0.1" },
        ipv6: { address: "fd80::77", prefixLength: 64, gateway: "fd80::1" },
        macAddress: "02:00:00:00:00:77",
        interface: "lan0",
        dnsNames: ["name-of-web", "www", "web", "web-host"],
      },
    );
    const inside = addressesIn(slot.pid, "lan0");
    for (const address of ["10.80.0.77/24", "169.254.7.7/16", "fd80::77/64", "fe80::77/64"]) {
      assert.ok(inside.includes(address), `${address} in ${inside.join()}`);
    }
    assert.match(inNetns(slot.pid, "ip", "link", "show", "lan0"), /02:00:00:00:00:77/);
    assert.equal(inNetns(slot.pid, "sysctl", "-n", "net.ipv4.conf.lan0.log_martians"), "1\n");
    assert.deepEqual(routesIn(slot.pid), ["10.80.0.1 lan0", "fd80::1 lan0"]);
  });

  test("attach: to several networks at once; routes go by priority, of each family", async () => {
    await using lab = await openLab();
    await lab.network("alpha");
    await lab.network("beta", { ipv6: true });
    await lab.network("inner", { internal: true });
    const all = ["inner", "beta", "alpha"].map((name) => inNetwork(name));
    const first = await lab.attach("a", [], ...all);
    assert.deepEqual(
      first.attached.endpoints.map((each) => [each.networkName, each.interface]),
      [
        ["inner", "eth0"],
        ["beta", "eth1"],
        ["alpha", "eth2"],
      ],
    );
    const [six] = lab.networks
      .find("beta")
      .ipam.pools.flatMap(({ gateway = "" }) => (gateway.includes(":") ? gateway : []));
    const gateways = Object.fromEntries(
      first.attached.endpoints.map(({ networkName, ipv4 }) => [networkName, ipv4?.gateway]),
    );
    assert.deepEqual(routesIn(first.slot.pid), [`${gateways["alpha"]} eth2`, `${six} eth1`]);
    const second = await lab.attach("b", [], inNetwork("alpha"), inNetwork("beta", { gatewayPriority: 5 }));
    assert.deepEqual(routesIn(second.slot.pid), [`${gateways["beta"]} eth1`, `${six} eth1`]);
    const third = await lab.attach("c", [], inNetwork("inner"));
    assert.deepEqual(routesIn(third.slot.pid), []);
    // The default network too is one of several.
    const fourth = await lab.attach("d", [], inNetwork("bridge"), inNetwork("inner"));
    assert.deepEqual(routesIn(fourth.slot.pid), ["172.17.0.1 eth0"]);
  });

  test("attach: an IPv4 container has no IPv6 address, not even a link-local one; a link-local one alone can be had", async () => {
    await using lab = await openLab();
    await lab.network("shop");
    const plain = await lab.attach("a", [], inNetwork("shop"));
    assert.deepEqual(addressesIn(plain.slot.pid, "eth0"), [`${ipv4Of(plain)}/22`]);
    const { slot } = await lab.attach("b", [], inNetwork("shop", { linkLocal: ["fe80::77"] }));
    assert.ok(addressesIn(slot.pid, "eth0").includes("fe80::77/64"));
  });

  test("attach: addresses that are taken, foreign or of a family that is not there are refused", async () => {
    await using lab = await openLab();
    await lab.network("shop", { ipam: pools("10.80.0.0/24") });
    await lab.attach("web", [], inNetwork("shop", { ipv4: "10.80.0.7" }));
    const wanted = async (ipv4: string): Promise<unknown> => await lab.attach("x", [], inNetwork("shop", { ipv4 }));
    await assert.rejects(wanted("10.80.0.7"), {
      kind: "forbidden",
      message: "Address already in use",
      remedy: "The container name-of-web has 10.80.0.7: choose another, or disconnect it.",
    });
    await assert.rejects(wanted("10.80.0.1"), { kind: "forbidden", remedy: /is the gateway's, or reserved/ });
    for (const address of ["10.81.0.7", "10.80.0.0", "10.80.0.255"]) {
      await assert.rejects(wanted(address), {
        kind: "invalid",
        message: `no configured subnet contains IP address ${address}`,
      });
    }
    await assert.rejects(lab.attach("x", [], inNetwork("shop", { ipv6: "fd00::7" })), {
      kind: "invalid",
      message: "the network shop has no IPv6: it cannot give fd00::7",
    });
    await assert.rejects(lab.attach("x", [], inNetwork("nowhere")), { kind: "notFound" });
    const twice = inNetwork("shop", { options: { [ifname]: "lan0" } });
    await assert.rejects(lab.attach("x", [], twice, { ...twice, network: "bridge" }), { kind: "conflict" });
    assert.deepEqual(
      lab.networks.membersOf(lab.networks.find("shop").id).map(({ containerId }) => containerId),
      ["web"],
    );
  });

  test("attach: what failed half-way gave its addresses back; so does release, and the same run gets them again", async () => {
    await using lab = await openLab({ warmSlots: 0 });
    await lab.network("tiny", { ipam: pools("10.80.0.0/30") });
    await lab.network("other");
    const only = inNetwork("tiny", { ipv4: "10.80.0.2" });
    await assert.rejects(lab.attach("a", [], only, inNetwork("other", { ipv4: "10.9.9.9" })), { kind: "invalid" });
    for (let round = 0; round < 3; round += 1) {
      const { slot } = await lab.attach("a", [], only, inNetwork("other"));
      await assert.rejects(lab.attach("b", [], inNetwork("tiny")), {
        kind: "exhausted",
        message: /^no available IPv4 addresses on this network's address pools: tiny \([0-9a-f]{64}\)$/,
      });
      await slot[Symbol.asyncDispose]();
      await lab.networks.release("a");
    }
    assert.equal(ipv4Of(await lab.attach("b", [], inNetwork("tiny"))), "10.80.0.2");
  });

  test("attach: kept ones outlive the daemon; their addresses are theirs when it comes back", async () => {
    await using lab = await openLab({ warmSlots: 0 });
    await lab.network("shop", { ipv6: true });
    const first = await lab.attach("a", [], inNetwork("shop"), inNetwork("bridge"));
    first.keep();
    await lab.reopen();
    await lab.networks.reconcile(new Map([["a", process.pid]]));
    assert.deepEqual(lab.networks.attachedOf("a"), first.attached);
    const second = await lab.attach("b", [], inNetwork("shop"), inNetwork("bridge"));
    for (const network of ["shop", "bridge"]) assert.notEqual(ipv4Of(first, network), ipv4Of(second, network));
    assert.notEqual(ipv6Of(first), ipv6Of(second));
    const shop = lab.networks.find("shop").id;
    assert.deepEqual(
      lab.networks.membersOf(shop).map(({ containerName, endpoint }) => [containerName, endpoint.networkName]),
      [
        ["name-of-a", "shop"],
        ["name-of-b", "shop"],
      ],
    );
    assert.ok(hostState().links.includes(`br-${shop.slice(0, 12)}`));
  });
}
