import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  broadcastOf,
  formatAddress,
  formatSubnet,
  hostRange,
  macOf,
  overlaps,
  parseAddress,
  parseCidr,
  subnetFrom,
} from "./address.ts";

const address = fc.integer({ min: 0, max: 0xffff_ffff });
const subnet = fc
  .tuple(address, fc.integer({ min: 0, max: 32 }))
  .map(([base, prefixLength]) => subnetFrom(`${formatAddress(base)}/${prefixLength}`));

test("parseAddress: reads back what formatAddress writes", () => {
  fc.assert(fc.property(address, (value) => parseAddress(formatAddress(value)) === value));
});

test("parseAddress: refuses what is no address", () => {
  for (const text of ["", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.04", "1.2.3.-4", "a.b.c.d", "1.2.3.4 ", "::1"]) {
    assert.equal(parseAddress(text), undefined, text);
  }
});

test("parseCidr: keeps the address and finds its network", () => {
  const parsed = parseCidr("10.9.8.7/20");
  assert.equal(formatAddress(parsed?.address ?? 0), "10.9.8.7");
  assert.equal(parsed && formatSubnet(parsed.subnet), "10.9.0.0/20");
  assert.equal(parseCidr("192.0.2.1")?.subnet.prefixLength, 32);
  for (const text of ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "default", "10.0.0.0/-1"]) {
    assert.equal(parseCidr(text), undefined, text);
  }
});

test("overlaps: says whether two networks share an address", () => {
  fc.assert(
    fc.property(subnet, subnet, (one, other) => {
      const shares = one.base <= broadcastOf(other) && other.base <= broadcastOf(one);
      return overlaps(one, other) === shares && overlaps(other, one) === shares;
    }),
  );
});

test("hostRange: leaves out network and broadcast address where there are such", () => {
  const shown = ["10.0.0.0/30", "10.0.0.0/31", "10.0.0.9/32", "0.0.0.0/0"].map((text) => {
    const { first, last } = hostRange(subnetFrom(text));
    return `${formatAddress(first)}-${formatAddress(last)}`;
  });
  assert.deepEqual(shown, ["10.0.0.1-10.0.0.2", "10.0.0.0-10.0.0.1", "10.0.0.9-10.0.0.9", "0.0.0.1-255.255.255.254"]);
});

test("macOf: a locally administered unicast address that follows from the IP address", () => {
  assert.equal(macOf(parseAddress("172.17.0.2") ?? 0), "02:42:ac:11:00:02");
});
