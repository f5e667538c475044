import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpamPool } from "../networks.ts";
import { checkIpam } from "./check-ipam.ts";

const wrong: readonly [Partial<IpamPool>, string][] = [
  [{ subnet: "10.0.0.0" }, "invalid subnet 10.0.0.0: invalid CIDR block notation"],
  [{ subnet: "10.0.0.0/33" }, "invalid subnet 10.0.0.0/33: invalid CIDR block notation"],
  [{ subnet: "10.0.0.1/24" }, "invalid subnet 10.0.0.1/24: it should be 10.0.0.0/24"],
  [{ subnet: "fd00::1/64" }, "invalid subnet fd00::1/64: it should be fd00::/64"],
  [{ subnet: "10.0.0.0/32" }, "invalid subnet 10.0.0.0/32: it has no room for a gateway and a container"],
  [{ gateway: "10.0.0.1" }, "invalid subnet : 10.0.0.1 needs a subnet"],
  [{ range: "10.0.0.0/25" }, "invalid subnet : 10.0.0.0/25 needs a subnet"],
  [{ auxiliary: { router: "10.0.0.9" } }, "invalid subnet : 10.0.0.9 needs a subnet"],
  [
    { subnet: "10.0.0.0/24", range: "10.0.0.0/16" },
    "invalid ip-range 10.0.0.0/16: CIDR block is bigger than its parent subnet 10.0.0.0/24",
  ],
  [
    { subnet: "10.0.0.0/24", range: "10.0.1.0/25" },
    "invalid ip-range 10.0.1.0/25: parent subnet 10.0.0.0/24 doesn't contain ip-range",
  ],
  [
    { subnet: "10.0.0.0/24", range: "fd00::/64" },
    "invalid ip-range fd00::/64: parent subnet 10.0.0.0/24 doesn't contain ip-range",
  ],
  [{ subnet: "10.0.0.0/24", range: "10.0.0.3/30" }, "invalid ip-range 10.0.0.3/30: it should be 10.0.0.0/30"],
  [{ subnet: "10.0.0.0/24", range: "x" }, "invalid ip-range x: invalid CIDR block notation"],
  [{ subnet: "10.0.0.0/24", gateway: "10.0.0.256" }, "invalid gateway 10.0.0.256: invalid address"],
  [
    { subnet: "10.0.0.0/24", gateway: "10.0.1.1" },
    "invalid gateway 10.0.1.1: parent subnet 10.0.0.0/24 doesn't contain this address",
  ],
  [
    { subnet: "10.0.0.0/24", auxiliary: { a: "10.0.0.9", b: "10.0.1.9" } },
    "invalid auxiliary address 10.0.1.9: parent subnet 10.0.0.0/24 doesn't contain this address",
  ],
];

for (const [pool, problem] of wrong) {
  test(`checkIpam: ${problem}`, () => {
    assert.throws(() => check({ auxiliary: {}, ...pool }), {
      kind: "invalid",
      message: `invalid network config:\n${problem}`,
    });
  });
}

test("checkIpam: tells all that is wrong at once", () => {
  assert.throws(() => check({ subnet: "10.0.0.0/24", gateway: "x", range: "y", auxiliary: { z: "z" } }), {
    message:
      "invalid network config:\ninvalid ip-range y: invalid CIDR block notation\ninvalid gateway x: invalid address\ninvalid auxiliary address z: invalid address",
  });
});

test("checkIpam: one subnet of each family, a driver that there is, and a family at all", () => {
  const [one, two] = [
    { subnet: "10.0.0.0/24", auxiliary: {} },
    { subnet: "10.0.1.0/24", auxiliary: {} },
  ];
  const [six, seven] = [
    { subnet: "fd00:1::/64", auxiliary: {} },
    { subnet: "fd00:2::/64", auxiliary: {} },
  ];
  check(one, six);
  check({ auxiliary: {} });
  check({ subnet: "10.0.0.0/31", gateway: "10.0.0.1", auxiliary: {} });
  assert.throws(() => check(one, two), { message: "bridge driver doesn't support multiple IPv4 subnets" });
  assert.throws(() => check(six, seven), { message: "bridge driver doesn't support multiple IPv6 subnets" });
  const ipam = { driver: "default", options: {}, pools: [] };
  assert.throws(() => checkIpam({ ipam, ipv4: false, ipv6: false }), { kind: "invalid" });
  assert.throws(() => checkIpam({ ipam: { ...ipam, driver: "dhcp" }, ipv4: true, ipv6: false }), {
    kind: "notFound",
    message: /plugin "dhcp" not found$/,
  });
});

function check(...pools: readonly IpamPool[]): void {
  checkIpam({ ipam: { driver: "", options: {}, pools }, ipv4: true, ipv6: true });
}
