import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkRequest } from "./networks.ts";
import { hostState, inNetwork, networkOf, openLab, pools } from "./testing/lab.ts";
import { run } from "./testing/machines.ts";
import { insideOwnNetns } from "./testing/own-netns.ts";

if (insideOwnNetns(import.meta.url)) {
  test("create: what cannot be is refused in Docker's words, and leaves nothing", async () => {
    await using lab = await openLab();
    const before = hostState();
    for (const [request, expected] of refused) {
      await assert.rejects(lab.networks.create(networkOf("x", request)), expected, JSON.stringify(request));
    }
    for (const name of ["bridge", "host", "none", "default"]) {
      await assert.rejects(lab.networks.create(networkOf(name)), {
        kind: "forbidden",
        message: `operation is not permitted on predefined ${name} network `,
      });
    }
    for (const name of ["", " ", "-x", "a b", "ä", "x".repeat(256)]) {
      await assert.rejects(lab.networks.create(networkOf(name)), { kind: "invalid" }, name);
    }
    assert.deepEqual(hostState(), before);
    assert.equal(lab.networks.list().length, 3);
  });

  test("create: a subnet that clashes is refused, and the remedy names what is in the way", async () => {
    await using lab = await openLab();
    run("ip", "link", "add", "lan7", "type", "veth", "peer", "name", "lan8");
    run("ip", "address", "add", "10.50.0.1/16", "dev", "lan7");
    for (const name of ["lan7", "lan8"]) run("ip", "link", "set", name, "up");
    run("ip", "route", "add", "10.60.0.0/16", "via", "10.50.0.2", "dev", "lan7");
    await lab.network("shop", { ipam: pools("10.70.0.0/16") });
    const message = "invalid pool request: Pool overlaps with other one on this address space";
    const clashes = async (subnet: string, by: string): Promise<void> => {
      await assert.rejects(lab.network("x", { ipam: pools(subnet) }), {
        kind: "forbidden",
        message,
        remedy: `${subnet} clashes with ${by}: choose another subnet.`,
      });
    };
    await clashes("10.70.3.0/24", "the network shop");
    await clashes("172.17.0.0/24", "the network bridge");
    await clashes("10.50.3.0/24", "the route 10.50.0.0/16 of lan7");
    await clashes("10.60.0.0/16", "the route 10.60.0.0/16 of lan7");
    // A part of what another router leads to may be one's own.
    assert.ok(await lab.network("part", { ipam: pools("10.60.3.0/24") }));
    run("ip", "link", "delete", "lan7");
  });

  test("create: two networks have neither one name nor one bridge", async () => {
    await using lab = await openLab();
    const options = { "com.docker.network.bridge.name": "lan0" };
    await lab.network("shop", { options });
    await assert.rejects(lab.network("shop"), { kind: "conflict", message: "network with name shop already exists" });
    await assert.rejects(lab.network("other", { options }), {
      kind: "forbidden",
      message: "cannot create network with bridge name lan0: the network shop has it",
    });
    run("ip", "link", "add", "mine0", "type", "veth", "peer", "name", "mine1");
    const taken = { "com.docker.network.bridge.name": "mine0" };
    await assert.rejects(lab.network("third", { options: taken }), { kind: "conflict", message: /is no bridge$/ });
    assert.throws(() => lab.networks.find("third"), { kind: "notFound" });
    assert.ok(hostState().links.includes("mine0"));
    run("ip", "link", "delete", "mine0");
  });

  test("remove: predefined ones and those in use stay; a bridge that is not ours stays too", async () => {
    await using lab = await openLab();
    for (const name of ["bridge", "host", "none"]) {
      await assert.rejects(lab.networks.remove(name), {
        kind: "forbidden",
        message: `${name} is a pre-defined network and cannot be removed`,
      });
    }
    await assert.rejects(lab.networks.remove("nowhere"), { kind: "notFound", message: "network nowhere not found" });
    await lab.network("shop");
    const { attached } = await lab.attach("a", [], inNetwork("shop"));
    const id = attached.endpoints[0]?.id.slice(0, 12);
    await assert.rejects(lab.networks.remove("shop"), {
      kind: "forbidden",
      message: `error while removing network: network shop has active endpoints (name:"name-of-a" id:"${id}")`,
    });
    await lab.networks.release("a");
    await lab.networks.remove("shop");
    run("ip", "link", "add", "mine0", "type", "bridge");
    await lab.network("mine", { options: { "com.docker.network.bridge.name": "mine0" } });
    await lab.networks.remove("mine");
    assert.ok(hostState().links.includes("mine0"));
    run("ip", "link", "delete", "mine0");
  });

  test("remove: who comes meanwhile hears that there is no such network, and no bridge is left", async () => {
    await using lab = await openLab({ warmSlots: 0 });
    for (let round = 0; round < 5; round += 1) {
      await lab.network("shop");
      const [removal, arrival] = await Promise.allSettled([
        lab.networks.remove("shop"),
        lab.attach("a", [], inNetwork("shop")),
      ]);
      assert.equal(removal.status, "fulfilled");
      assert.match(String(arrival.status === "rejected" && arrival.reason), /network shop not found$/);
      assert.equal(lab.networks.attachedOf("a"), undefined);
      assert.ok(!hostState().links.some((name) => name.startsWith("br-")));
    }
  });
}

const refused: readonly [Partial<NetworkRequest>, { kind: string; message?: RegExp | string }][] = [
  [{ driver: "overlay" }, { kind: "unavailable", message: /^This node is not a swarm manager/ }],
  [{ scope: "swarm" }, { kind: "unavailable" }],
  [{ driver: "host" }, { kind: "forbidden", message: 'only one instance of "host" network is allowed' }],
  [{ driver: "null" }, { kind: "forbidden", message: 'only one instance of "null" network is allowed' }],
  [
    { driver: "weave" },
    { kind: "notFound", message: 'could not find plugin weave in v1 plugin registry: plugin "weave" not found' },
  ],
  [{ ipv4: false, ipv6: false }, { kind: "invalid" }],
  [{ ipam: pools("10.0.0.1/24") }, { kind: "invalid" }],
  [{ options: { "com.docker.network.driver.mtu": "big" } }, { kind: "invalid" }],
];
