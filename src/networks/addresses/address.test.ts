import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  type Address,
  type Subnet,
  addressFrom,
  bitsOf,
  contains,
  firstOf,
  formatAddress,
  formatSubnet,
  hostRange,
  lastOf,
  macOf,
  overlaps,
  parseAddress,
  parseCidr,
  subnetAround,
  subnetFrom,
} from "./address.ts";

const address: fc.Arbitrary<Address> = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }).map((value) => ({ family: 4 as const, value })),
  fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map((value) => ({ family: 6 as const, value })),
);
const subnet: fc.Arbitrary<Subnet> = fc
  .tuple(address, fc.nat(128))
  .map(([one, length]) => subnetAround(one, length % (bitsOf(one.family) + 1)));

test("parseAddress: reads back what formatAddress writes, of both families", () => {
  fc.assert(fc.property(address, (one) => assert.deepEqual(parseAddress(formatAddress(one)), one)));
});

test("formatAddress: writes IPv6 as RFC 5952 says, also when it was written otherwise", () => {
  for (const [written, canonical] of [
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["::", "::"],
    ["0:0:0:1::", "0:0:0:1::"],
    ["fd00:0:0:1:0:0:0:1", "fd00:0:0:1::1"],
  ] as const) {
    assert.equal(formatAddress(addressFrom(written)), canonical);
  }
});

test("parseAddress: refuses what is no address", () => {
  const wrong = ["", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.04", "1.2.3.-4", "a.b.c.d", "1.2.3.4 ", ":::", "g::1"];
  for (const text of [...wrong, "fe80::1%eth0", "1::2::3", "0x7f.1", "[::1]"]) {
    assert.equal(parseAddress(text), undefined, text);
  }
});

test("parseCidr: keeps the address and finds its network", () => {
  for (const [text, host, network] of [
    ["10.9.8.7/20", "10.9.8.7", "10.9.0.0/20"],
    ["192.0.2.1", "192.0.2.1", "192.0.2.1/32"],
    ["2001:db8::7/64", "2001:db8::7", "2001:db8::/64"],
    ["fd00::1", "fd00::1", "fd00::1/128"],
    ["1.2.3.4/0", "1.2.3.4", "0.0.0.0/0"],
  ] as const) {
    const parsed = parseCidr(text) ?? assert.fail(text);
    assert.deepEqual([formatAddress(parsed.address), formatSubnet(parsed.subnet)], [host, network]);
  }
  for (const text of ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "default", "10.0.0.0/-1", "fd00::/129", "/8"]) {
    assert.equal(parseCidr(text), undefined, text);
  }
});

test("subnetAround: the network has the address, and so have its first and last", () => {
  fc.assert(
    fc.property(address, fc.nat(128), (one, length) => {
      const around = subnetAround(one, length % (bitsOf(one.family) + 1));
      assert.ok([one, firstOf(around), lastOf(around)].every((each) => contains(around, each)));
      assert.deepEqual(subnetFrom(formatSubnet(around)), around);
    }),
  );
});

test("overlaps: says whether two networks share an address", () => {
  fc.assert(
    fc.property(subnet, subnet, (one, other) => {
      const shares = one.family === other.family && one.base <= lastOf(other).value && other.base <= lastOf(one).value;
      return overlaps(one, other) === shares && overlaps(other, one) === shares;
    }),
  );
});

test("overlaps: a network and one inside it", () => {
  fc.assert(
    fc.property(subnet, fc.nat(128), (outer, more) => {
      const length = Math.min(outer.prefixLength + more, bitsOf(outer.family));
      return overlaps(outer, subnetAround(lastOf(outer), length));
    }),
  );
});

test("hostRange: leaves out network and broadcast address where there are such", () => {
  const texts = ["10.0.0.0/30", "10.0.0.0/31", "10.0.0.9/32", "0.0.0.0/0", "fd00::/64", "fd00::/127", "fd00::9/128"];
  const shown = texts.map((text) => {
    const range = subnetFrom(text);
    const { first, last } = hostRange(range);
    return [first, last].map((value) => formatAddress({ family: range.family, value })).join("-");
  });
  assert.deepEqual(shown, [
    "10.0.0.1-10.0.0.2",
    "10.0.0.0-10.0.0.1",
    "10.0.0.9-10.0.0.9",
    "0.0.0.1-255.255.255.254",
    "fd00::1-fd00::ffff:ffff:ffff:ffff",
    "fd00::-fd00::1",
    "fd00::9-fd00::9",
  ]);
});

test("macOf: a locally administered unicast address that follows from the IP address", () => {
  assert.equal(macOf(addressFrom("172.17.0.2")), "02:42:ac:11:00:02");
});
