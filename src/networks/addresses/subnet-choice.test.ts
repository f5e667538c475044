import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { formatSubnet, overlaps, subnetAround, subnetFrom } from "./address.ts";
import {
  type Occupied,
  chooseSubnet,
  clashOf,
  defaultBridgeSources,
  defaultSources,
  occupiedBy,
  sourceOf,
} from "./subnet-choice.ts";

test("chooseSubnet: takes the first default network that no route, interface or resolver of the host uses", () => {
  const routes = [
    { dst: "default", gateway: "172.20.0.1", dev: "eth0" },
    { dst: "0.0.0.0/1", gateway: "172.30.0.1", dev: "vpn0" },
    { dst: "172.16.0.0/15", dev: "vpn0" },
    { type: "local", dst: "172.18.4.5", dev: "eth0", table: "local" },
    { dst: "172.19.0.0/16", dev: "slipway0" },
    { dst: "fd00::/64", dev: "eth0" },
    { type: "blackhole", dst: "172.21.0.0/24" },
  ];
  const resolvConf = "search example\nnameserver 172.19.0.53\nnameserver fd00::1\n nameserver 172.20.1.1\n";
  const occupied = occupiedBy(routes, resolvConf, (link) => link === "slipway0");
  assert.equal(chosen(defaultBridgeSources, occupied), "172.22.0.0/16");
  assert.equal(chosen(defaultBridgeSources, []), "172.17.0.0/16");
});

test("occupiedBy: says what uses a network, and which ways are another router's", () => {
  const routes = [
    { dst: "10.0.0.0/8", gateway: "192.0.2.1", dev: "eth0" },
    { dst: "fe80::/64", dev: "eth0" },
    { dst: "ff00::/8", dev: "eth0" },
  ];
  const shown = occupiedBy(routes, "nameserver 192.0.2.53\n", () => false).map(({ by, isRouted }) => [by, isRouted]);
  assert.deepEqual(shown, [
    ["the route 10.0.0.0/8 of eth0", true],
    ["the name server 192.0.2.53", undefined],
  ]);
});

test("chooseSubnet: walks over clashes of any size, and past a source that is full", () => {
  const sources = [sourceOf("10.1.0.0/22", 24), sourceOf("10.9.0.0/16", 24)];
  assert.equal(chosen(sources, taken("10.1.0.0/24")), "10.1.1.0/24");
  assert.equal(chosen(sources, taken("10.1.0.77/32", "10.1.1.0/25", "10.1.1.128/25")), "10.1.2.0/24");
  assert.equal(chosen(sources, taken("10.1.2.0/24", "10.1.0.0/23", "10.1.0.0/16")), "10.9.0.0/24");
  assert.equal(chosen(sources, taken("10.0.0.0/13", "10.9.0.0/24")), "10.9.1.0/24");
  assert.equal(chosen([sourceOf("fd00:1::/48", 64)], taken("fd00:1::/64", "10.0.0.0/8")), "fd00:1:0:1::/64");
});

test("chooseSubnet: what it chooses overlaps nothing and lies in a source; none is left only when all clash", () => {
  const sources = [sourceOf("10.1.0.0/26", 29), sourceOf("10.2.0.0/29", 30)];
  const every = sources.flatMap(({ base, size }) =>
    Array.from({ length: 2 ** (size - base.prefixLength) }, (_, index) =>
      subnetAround({ family: 4, value: base.base + BigInt(index * 2 ** (32 - size)) }, size),
    ),
  );
  const occupied = fc.array(
    fc
      .tuple(
        fc.constantFrom(0x0a01_0000n, 0x0a02_0000n),
        fc.bigInt({ min: 0n, max: 70n }),
        fc.integer({ min: 27, max: 32 }),
      )
      .map(([base, more, length]) => ({ subnet: subnetAround({ family: 4, value: base + more }, length), by: "it" })),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(occupied, (list) => {
      const free = every.filter((subnet) => clashOf(subnet, list) === undefined);
      if (free.length === 0) assert.throws(() => chooseSubnet(sources, list, ""), { kind: "exhausted" });
      else assert.deepEqual(chooseSubnet(sources, list, ""), free[0]);
    }),
  );
});

test("chooseSubnet: beside ten thousand networks it looks at each once", () => {
  let looks = 0;
  const occupied: Occupied[] = Array.from({ length: 10_000 }, (_, index) => {
    const subnet = subnetAround({ family: 4, value: 0x0a00_0000n + BigInt(index * 256) }, 24);
    return {
      by: "it",
      get subnet() {
        looks += 1;
        return subnet;
      },
    };
  });
  assert.equal(chosen([sourceOf("10.0.0.0/8", 24)], occupied), "10.39.16.0/24");
  // Sorting and walking.
  assert.ok(looks < 10_000 * 40, `${looks}`);
});

test("chooseSubnet: with none left names what clashes", () => {
  const routes = [
    { dst: "172.16.0.0/12", dev: "vpn0" },
    { dst: "192.168.0.0/16", dev: "lan0" },
  ];
  const occupied = occupiedBy(routes, "", () => false);
  assert.throws(() => chooseSubnet(defaultBridgeSources, occupied, "Choose a free network with --bip"), {
    kind: "exhausted",
    message: "all predefined address pools have been fully subnetted",
    remedy:
      "Choose a free network with --bip; 172.17.0.0/16 for instance clashes with the route 172.16.0.0/12 of vpn0.",
  });
});

test("defaultSources: private networks that do not overlap each other, thousands of them", () => {
  for (const sources of [defaultSources, defaultBridgeSources]) {
    for (const [index, { base }] of sources.entries()) {
      const isPrivate = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].some((text) =>
        overlaps(subnetFrom(text), base),
      );
      assert.ok(isPrivate, formatSubnet(base));
      assert.ok(!sources.slice(index + 1).some((other) => overlaps(base, other.base)));
    }
  }
  const count = defaultSources.reduce((sum, { base, size }) => sum + 2 ** (size - base.prefixLength), 0);
  assert.ok(count > 9000, `${count}`);
  assert.equal(chosen(defaultSources, taken("172.17.0.0/16")), "172.18.0.0/22");
});

function chosen(sources: Parameters<typeof chooseSubnet>[0], occupied: readonly Occupied[]): string {
  return formatSubnet(chooseSubnet(sources, occupied, "remedy"));
}

function taken(...subnets: readonly string[]): Occupied[] {
  return subnets.map((text) => ({ subnet: subnetFrom(text), by: text }));
}
