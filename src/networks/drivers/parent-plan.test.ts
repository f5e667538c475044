import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseAddress } from "../addresses/address.ts";
import { type EndpointPlan, routeLine } from "../links/link-commands.ts";
import type { Network } from "../networks.ts";
import { wayOut } from "../endpoints/gateways.ts";
import {
  checkParentOptions,
  endpointAddressLines,
  endpointLine,
  endpointSettingsOf,
  madeParentLines,
  parentPlanOf,
} from "./parent-plan.ts";

const folder = join(import.meta.dirname, "golden");

/** Every driver and mode once; `SLIPWAY_GOLDEN=write` writes the files anew. */
const cases: Readonly<Record<string, Partial<Network>>> = {
  "macvlan-bridge": { options: { parent: "eth0" } },
  "macvlan-dual": { options: { parent: "eth0" }, ipv6: true, ipam: ipam("10.7.0.0/24", "fd00:7::/64") },
  "macvlan-dual-without-gateway": {
    options: { parent: "eth0", macvlan_mode: "vepa" },
    ipv6: true,
    ipam: { ...ipam(), pools: ["10.7.0.0/24", "fd00:7::/64"].map((subnet) => ({ subnet, auxiliary: {} })) },
  },
  "macvlan-internal": { options: { parent: "eth0", macvlan_mode: "private" }, internal: true },
  "macvlan-passthru": { options: { parent: "eth0", macvlan_mode: "passthru" } },
  "macvlan-vlan": { options: { parent: "eth0.50" } },
  "macvlan-without-parent": { options: {} },
  "ipvlan-l2": { driver: "ipvlan", options: { parent: "eth0" } },
  "ipvlan-l2-private": { driver: "ipvlan", options: { parent: "eth0", ipvlan_mode: "l2", ipvlan_flag: "private" } },
  "ipvlan-l3": {
    driver: "ipvlan",
    options: { parent: "eth0", ipvlan_mode: "l3", ipvlan_flag: "vepa" },
    ipv6: true,
    ipam: ipam("10.7.0.0/24", "fd00:7::/64"),
  },
  "ipvlan-l3s-vlan": { driver: "ipvlan", options: { parent: "bond0.4094", ipvlan_mode: "l3s" } },
  "ipvlan-without-parent": { driver: "ipvlan", options: { ipvlan_mode: "l3" } },
};

for (const [name, more] of Object.entries(cases)) {
  test(`parentPlanOf: ${name} is as golden/${name}.txt says`, () => {
    const path = join(folder, `${name}.txt`);
    const text = planText(more);
    if (process.env["SLIPWAY_GOLDEN"] === "write") writeFileSync(path, text);
    assert.equal(text, readFileSync(path, "utf8"));
  });
}

test("golden: has the plans above and nothing else", () => {
  assert.deepEqual(
    readdirSync(folder).sort(),
    Object.keys(cases)
      .map((name) => `${name}.txt`)
      .sort(),
  );
});

test("checkParentOptions: what cannot be is refused in Docker's words, what does nothing is told", () => {
  for (const [kind, options, message] of [
    [
      "macvlan",
      { macvlan_mode: "l2" },
      /^requested macvlan mode 'l2' is not valid, 'bridge' mode is the macvlan driver/,
    ],
    [
      "ipvlan",
      { ipvlan_mode: "bridge" },
      /^requested ipvlan mode 'bridge' is not valid, 'l2' mode is the ipvlan driver/,
    ],
    ["ipvlan", { ipvlan_flag: "loud" }, /^requested ipvlan flag 'loud' is not valid, 'bridge' is the ipvlan driver/],
    ["ipvlan", { parent: "lo" }, /^loopback interface is not a valid ipvlan parent link$/],
    ["macvlan", { parent: "an interface" }, /^invalid parent interface "an interface"$/],
    ["macvlan", { parent: "much-too-long-names" }, /^invalid parent interface/],
  ] as const) {
    assert.throws(() => checkParentOptions(kind, { options }), { kind: "invalid", message });
  }
  assert.deepEqual(
    checkParentOptions("ipvlan", { options: { parent: "", ipvlan_mode: "l3s", ipvlan_flag: "vepa" } }),
    [],
  );
  assert.deepEqual(checkParentOptions("macvlan", { options: { ipvlan_mode: "l3", ipvlan_flag: "loud" } }), [
    "The option ipvlan_mode is not known to the driver macvlan, and does nothing.",
    "The option ipvlan_flag is not known to the driver macvlan, and does nothing.",
  ]);
});

test("parentPlanOf: a name tells of a VLAN only when its number is one", () => {
  const made = (parent: string): unknown => parentPlanOf(network({ options: { parent } })).made;
  assert.deepEqual(made("eth0.1"), { kind: "vlan", base: "eth0", id: 1 });
  for (const parent of ["eth0", "eth0.0", "eth0.4095", "eth0.x", "eth0.1.2", ".5"])
    assert.equal(made(parent), undefined);
});

function planText(more: Partial<Network>): string {
  const whole = network(more);
  const plan = parentPlanOf(whole);
  const place: EndpointPlan = {
    link: "",
    interface: "eth1",
    macAddress: "02:42:0a:07:00:02",
    ...(whole.ipv4 && { ipv4: addressOf("10.7.0.2") }),
    ...(whole.ipv6 && { ipv6: addressOf("fd00:7::2") }),
    linkLocal: [],
  };
  const ways = ([4, 6] as const).flatMap(
    (family) => wayOut({ network: whole, ipv4: "10.7.0.2", ...(whole.ipv6 && { ipv6: "fd00:7::2" }) }, family) ?? [],
  );
  return [
    "# On the host, where the parent is missing:",
    ...madeParentLines(plan, "network parent of slipway"),
    "# On the host:",
    endpointLine(plan, place, 4711),
    "# Inside:",
    ...Object.entries(endpointSettingsOf(place, whole)).map(([key, value]) => `sysctl ${key}=${value}`),
    ...endpointAddressLines(place, whole),
    ...ways.map((way) => routeLine(way, "eth1")),
    "",
  ].join("\n");
}

function network(more: Partial<Network>): Network {
  return {
    id: "0123456789abcdef",
    name: "lan",
    driver: "macvlan",
    createdNs: 0n,
    ipv4: true,
    ipv6: false,
    internal: false,
    attachable: false,
    ipam: ipam("10.7.0.0/24"),
    options: {},
    labels: {},
    ...more,
  };
}

function ipam(...subnets: readonly string[]): Network["ipam"] {
  const pools = subnets.map((subnet) => ({ subnet, gateway: subnet.replace(/0?\/.*/, "1"), auxiliary: {} }));
  return { driver: "default", options: {}, pools };
}

function addressOf(text: string): NonNullable<ReturnType<typeof parseAddress>> {
  return parseAddress(text) ?? assert.fail(text);
}
