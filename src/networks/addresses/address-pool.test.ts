import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { AddressPool } from "./address-pool.ts";
import { formatAddress, hostRange, parseAddress, subnetFrom } from "./address.ts";

test("AddressPool: gives addresses in order, and one that came back last of all", () => {
  const pool = new AddressPool(subnetFrom("10.0.0.0/29"), [addressOf("10.0.0.1")]);
  const take = (): string => formatAddress(pool.take() ?? 0);
  assert.deepEqual([take(), take()], ["10.0.0.2", "10.0.0.3"]);
  pool.free(addressOf("10.0.0.2"));
  assert.deepEqual([take(), take(), take(), take()], ["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.2"]);
  assert.equal(pool.take(), undefined);
});

test("AddressPool: whatever the order, no address is given twice and none is lost", () => {
  const subnet = subnetFrom("10.0.0.0/28");
  const { first, last } = hostRange(subnet);
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant("take" as const), fc.nat(13))), (steps) => {
      const pool = new AddressPool(subnet, []);
      const taken: number[] = [];
      for (const step of steps) {
        if (step !== "take") {
          const [back] = taken.splice(step % Math.max(taken.length, 1), 1);
          if (back !== undefined) pool.free(back);
          continue;
        }
        const address = pool.take();
        assert.equal(address === undefined, taken.length === last - first + 1);
        if (address === undefined) continue;
        assert.ok(address >= first && address <= last && !taken.includes(address));
        taken.push(address);
      }
    }),
  );
});

function addressOf(text: string): number {
  return parseAddress(text) ?? assert.fail();
}
