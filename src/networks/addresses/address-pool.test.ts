import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { addressFrom, formatAddress, hostRange, subnetFrom } from "./address.ts";
import { AddressPool, isHostAddress } from "./address-pool.ts";

test("AddressPool: gives addresses in order, and one that came back last of all", () => {
  const pool = poolOf("10.0.0.0/29", "10.0.0.0/29", "10.0.0.1");
  assert.deepEqual(take(pool, 2), ["10.0.0.2", "10.0.0.3"]);
  pool.free(addressFrom("10.0.0.2"));
  assert.deepEqual(take(pool, 5), ["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.2", undefined]);
});

test("AddressPool: gives only what lies in the range, of which the subnet's first and last are no addresses", () => {
  assert.deepEqual(take(poolOf("10.0.0.0/24", "10.0.0.4/30"), 5), [
    "10.0.0.4",
    "10.0.0.5",
    "10.0.0.6",
    "10.0.0.7",
    undefined,
  ]);
  assert.deepEqual(take(poolOf("10.0.0.0/24", "10.0.0.252/30"), 4), [
    "10.0.0.252",
    "10.0.0.253",
    "10.0.0.254",
    undefined,
  ]);
  assert.deepEqual(take(poolOf("10.0.0.0/24", "10.0.0.0/30"), 4), ["10.0.0.1", "10.0.0.2", "10.0.0.3", undefined]);
  assert.deepEqual(take(poolOf("10.0.0.0/24", "10.0.0.9/32"), 2), ["10.0.0.9", undefined]);
});

test("AddressPool: claims, also beyond the range, are nobody else's until they are freed", () => {
  const pool = poolOf("10.0.0.0/24", "10.0.0.8/30", "10.0.0.8");
  const [inside, outside] = [addressFrom("10.0.0.9"), addressFrom("10.0.0.200")];
  assert.deepEqual([pool.claim(inside), pool.claim(outside), pool.claim(addressFrom("10.0.0.8"))], [true, true, false]);
  assert.deepEqual([pool.claim(inside), pool.claim(outside)], [false, false]);
  assert.deepEqual(take(pool, 3), ["10.0.0.10", "10.0.0.11", undefined]);
  pool.free(outside);
  assert.deepEqual([take(pool, 1), pool.claim(outside)], [[undefined], true]);
  pool.free(inside);
  assert.deepEqual(take(pool, 1), ["10.0.0.9"]);
});

test("AddressPool: an IPv6 network costs what is in use of it, not its size", () => {
  const pool = poolOf("fd00::/64", "fd00::/64", "fd00::1");
  assert.deepEqual(take(pool, 3), ["fd00::2", "fd00::3", "fd00::4"]);
  const end = addressFrom("fd00::ffff:ffff:ffff:ffff");
  assert.ok(pool.claim(end));
  for (let count = 0; count < 20_000; count += 1) assert.ok(pool.take());
});

test("AddressPool: whatever the order, no address is given twice and none is lost", () => {
  const subnet = subnetFrom("10.0.0.0/28");
  const { first, last } = hostRange(subnet);
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant("take" as const), fc.nat(13))), (steps) => {
      const pool = new AddressPool(subnet, subnet, []);
      const taken: bigint[] = [];
      for (const step of steps) {
        if (step !== "take") {
          const [back] = taken.splice(step % Math.max(taken.length, 1), 1);
          if (back !== undefined) pool.free({ family: 4, value: back });
          continue;
        }
        const value = pool.take()?.value;
        assert.equal(value === undefined, BigInt(taken.length) === last - first + 1n);
        if (value === undefined) continue;
        assert.ok(value >= first && value <= last && !taken.includes(value));
        taken.push(value);
      }
    }),
  );
});

test("isHostAddress: of the subnet, and neither its network nor its broadcast address", () => {
  const subnet = subnetFrom("10.0.0.0/30");
  const shown = ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "::a00:1"].map((text) =>
    isHostAddress(subnet, addressFrom(text)),
  );
  assert.deepEqual(shown, [false, true, true, false, false, false]);
});

function poolOf(subnet: string, range: string, ...taken: readonly string[]): AddressPool {
  return new AddressPool(subnetFrom(subnet), subnetFrom(range), taken.map(addressFrom));
}

function take(pool: AddressPool, count: number): (string | undefined)[] {
  return Array.from({ length: count }, () => {
    const address = pool.take();
    return address === undefined ? undefined : formatAddress(address);
  });
}
