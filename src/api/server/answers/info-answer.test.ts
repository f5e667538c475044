import assert from "node:assert/strict";
import { test } from "node:test";
import type { Network } from "#networks";
import { fakeNetwork, fakeRooms } from "../testing/fake-rooms.ts";
import { infoAnswer } from "./info-answer.ts";

const noBudget = { budget: { kind: "off" }, usedBytes: 0, limitBytes: Infinity } as const;

/** The warnings about forwarding, on a host that forwards so much. */
function warnings(
  machine: { ipv4Forwarding: boolean; ipv6Forwarding: boolean },
  networks: readonly Network[],
): string[] {
  const { options } = fakeRooms({ networks: { list: () => [...networks] } });
  const { host } = options;
  const all =
    infoAnswer({ ...options, host: { ...host, machine: { ...host.machine, ...machine } } }, noBudget, []).Warnings ??
    [];
  return all.filter((text) => text.includes("forwarding"));
}

test("infoAnswer: warns that forwarding is off, of IPv6 where a network needs it", () => {
  const dual: Network = { ...fakeNetwork, name: "dual", ipv6: true };
  const inside: Network = { ...dual, name: "inside", internal: true };
  const both = { ipv4Forwarding: true, ipv6Forwarding: true };
  assert.deepEqual(warnings(both, [fakeNetwork, dual]), []);
  assert.deepEqual(warnings({ ...both, ipv4Forwarding: false }, [fakeNetwork]), [
    "WARNING: IPv4 forwarding is disabled",
  ]);
  assert.deepEqual(warnings({ ...both, ipv6Forwarding: false }, [fakeNetwork, inside]), []);
  assert.deepEqual(warnings({ ...both, ipv6Forwarding: false }, [fakeNetwork, dual]), [
    "WARNING: IPv6 forwarding is disabled",
  ]);
});
