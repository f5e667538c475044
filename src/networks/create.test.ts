import assert from "node:assert/strict";
import { test } from "node:test";
import { hostState, inNetwork, ipv4Of, ipv6Of, networkOf, openLab, pools } from "./testing/lab.ts";
import { askTcpFrom, run, serve } from "./testing/machines.ts";
import { insideOwnNetns } from "./testing/own-netns.ts";

interface Link {
  readonly ifname: string;
  readonly ifalias?: string;
  readonly mtu: number;
  readonly operstate: string;
}

if (insideOwnNetns(import.meta.url)) {
  test("create: the bridge is there with its alias and addresses, is found by name and id, and goes with remove", async () => {
    await using lab = await openLab();
    const before = hostState();
    const { id, warnings } = await lab.networks.create(networkOf("shop", { labels: { owner: "me" } }));
    assert.deepEqual(warnings, []);
    const shop = lab.networks.find("shop");
    assert.deepEqual(
      [shop.id, lab.networks.find(id).name, lab.networks.find(id.slice(0, 12)).name],
      [id, "shop", "shop"],
    );
    assert.deepEqual(shop.labels, { owner: "me" });
    assert.deepEqual(shop.ipam.pools, [{ subnet: "172.18.0.0/22", gateway: "172.18.0.1", auxiliary: {} }]);
    assert.equal(linkOf(`br-${id.slice(0, 12)}`)?.ifalias, `network ${id} of slipway-0a1b2c`);
    assert.deepEqual(addressesOf(`br-${id.slice(0, 12)}`), ["172.18.0.1/22"]);
    assert.deepEqual(
      lab.networks.list().map(({ name }) => name),
      ["bridge", "host", "none", "shop"],
    );
    await lab.networks.remove("shop");
    assert.deepEqual(hostState().links, before.links);
    assert.throws(() => lab.networks.find("shop"), { kind: "notFound" });
    assert.doesNotMatch(run("nft", "list", "ruleset"), /br-/);
    assert.deepEqual(
      lab.events.filter(({ type }) => type === "network").map(({ action, attributes }) => [action, attributes["name"]]),
      [
        ["create", "shop"],
        ["destroy", "shop"],
      ],
    );
  });

  test("create: bridge options are heard", async () => {
    await using lab = await openLab();
    const options = {
      "com.docker.network.bridge.name": "lan.10",
      "com.docker.network.driver.mtu": "1400",
      "com.docker.network.container_iface_prefix": "lan",
      "com.docker.network.bridge.enable_icc": "false",
    };
    await lab.network("lan", { options });
    const { slot, attached } = await lab.attach("a", [], inNetwork("lan"));
    assert.deepEqual([linkOf("lan.10")?.mtu, attached.endpoints[0]?.interface], [1400, "lan0"]);
    assert.match(run("nsenter", `--net=/proc/${slot.pid}/ns/net`, "ip", "link", "show", "lan0"), /mtu 1400/);
    assert.match(run("bridge", "-details", "link", "show"), /isolated on/);
    const { warnings } = await lab.networks.create(networkOf("new", { options: { "com.docker.network.new": "1" } }));
    assert.equal(warnings.length, 1);
  });

  test("create: inhibit and gateway mode isolated leave the bridge without an address", async () => {
    await using lab = await openLab();
    for (const [name, options, internal] of [
      ["inhibited", { "com.docker.network.bridge.inhibit_ipv4": "true" }, false],
      ["isolated", { "com.docker.network.bridge.gateway_mode_ipv4": "isolated" }, true],
    ] as const) {
      const { id } = await lab.network(name, { options, internal });
      assert.deepEqual(addressesOf(`br-${id.slice(0, 12)}`), []);
      const { attached } = await lab.attach(`in-${name}`, [], inNetwork(name));
      assert.ok(attached.endpoints[0]?.ipv4);
    }
  });

  test("create: IPv6 gets a unique local subnet, also alone, and where new links have IPv6 off", async () => {
    await using lab = await openLab();
    run("sysctl", "-q", "-w", "net.ipv6.conf.default.disable_ipv6=1");
    const both = await lab.network("both", { ipv6: true });
    const six = await lab.network("six", { ipv4: false, ipv6: true });
    const subnets = [both, six].map(({ ipam }) => ipam.pools.map(({ subnet }) => subnet ?? ""));
    assert.deepEqual(
      subnets.map(({ length }) => length),
      [2, 1],
    );
    const [first = "", second = ""] = [subnets[0]?.[1], subnets[1]?.[0]];
    assert.match(first, /^fd[0-9a-f:]+::\/64$/);
    assert.notEqual(first, second);
    const { slot, attached } = await lab.attach("a", [], inNetwork("six"));
    assert.equal(attached.endpoints[0]?.ipv4, undefined);
    await using _host = await serve(process.pid, 7000);
    const { address, gateway } = attached.endpoints[0]?.ipv6 ?? assert.fail();
    assert.equal(askTcpFrom(slot.pid, gateway, 7000), `hello ${address}`);
    assert.ok(ipv6Of(await lab.attach("b", [], inNetwork("both"))));
    assert.equal(run("sysctl", "-n", "net.ipv6.conf.all.forwarding"), "1\n");
    run("sysctl", "-q", "-w", "net.ipv6.conf.default.disable_ipv6=0");
  });

  test("create: containers' addresses come from --ip-range, and auxiliary ones are nobody's", async () => {
    await using lab = await openLab();
    const auxiliary = { router: "10.77.0.9" };
    const pool = { subnet: "10.77.0.0/24", range: "10.77.0.8/29", gateway: "10.77.0.254", auxiliary };
    await lab.network("ranged", { ipam: { driver: "default", options: {}, pools: [pool] } });
    const given = [];
    for (const id of ["a", "b"]) given.push(ipv4Of(await lab.attach(id, [], inNetwork("ranged"))));
    assert.deepEqual(given, ["10.77.0.8", "10.77.0.10"]);
    const taken = lab.attach("c", [], inNetwork("ranged", { ipv4: "10.77.0.9" }));
    await assert.rejects(taken, { kind: "forbidden", message: "Address already in use" });
    assert.equal(ipv4Of(await lab.attach("d", [], inNetwork("ranged", { ipv4: "10.77.0.200" }))), "10.77.0.200");
  });

  test("create: --default-address-pool is where subnets come from, until it is full", async () => {
    await using lab = await openLab({
      addressPools: [
        { base: "10.66.0.0/24", size: 25 },
        { base: "10.67.0.0/16", size: 24 },
        { base: "fd66::/63", size: 64 },
      ],
    });
    const networks = [];
    for (const name of ["a", "b", "c"]) networks.push(await lab.network(name, { ipv6: name !== "c" }));
    assert.deepEqual(
      networks.map(({ ipam }) => ipam.pools.map(({ subnet }) => subnet)),
      [["10.66.0.0/25", "fd66::/64"], ["10.66.0.128/25", "fd66:0:0:1::/64"], ["10.67.0.0/24"]],
    );
    await assert.rejects(lab.network("d", { ipv6: true }), {
      kind: "exhausted",
      message: "all predefined address pools have been fully subnetted",
      remedy: /--subnet.*--default-address-pool/,
    });
    await lab.networks.remove("b");
    assert.equal((await lab.network("e", { ipv6: true })).ipam.pools[0]?.subnet, "10.66.0.128/25");
  });

  test("create: many at once each get a subnet of their own", async () => {
    await using lab = await openLab();
    const made = await Promise.all(Array.from({ length: 12 }, async (_, index) => await lab.network(`n${index}`)));
    assert.equal(new Set(made.map(({ ipam }) => ipam.pools[0]?.subnet)).size, 12);
    await assert.rejects(Promise.all([lab.network("twice"), lab.network("twice")]), {
      kind: "conflict",
      message: "network with name twice already exists",
    });
    assert.ok(lab.networks.find("twice"));
    assert.ok((await lab.network("fixed", { ipam: pools("10.123.0.0/24") })).id);
  });
}

function linkOf(name: string): Link | undefined {
  return (JSON.parse(run("ip", "-json", "link", "show")) as Link[]).find(({ ifname }) => ifname === name);
}

/** Of global scope. */
function addressesOf(name: string): string[] {
  const [link] = JSON.parse(run("ip", "-json", "address", "show", "dev", name)) as {
    addr_info: { local: string; prefixlen: number; scope: string }[];
  }[];
  return (link?.addr_info ?? [])
    .filter(({ scope }) => scope === "global")
    .map((one) => `${one.local}/${one.prefixlen}`);
}
