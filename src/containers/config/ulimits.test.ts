import assert from "node:assert/strict";
import { test } from "node:test";
import { checkUlimits, runtimeRlimits } from "./ulimits.ts";

const bound = {
  hasCapability: () => false,
  hardLimit: (name: string) => (name === "nofile" ? 1000 : Number.POSITIVE_INFINITY),
};
const free = { ...bound, hasCapability: () => true };

test("checkUlimits: the soft limit is at most the hard one; -1 is no limit", () => {
  for (const [soft, hard] of [
    [1, 1],
    [0, -1],
    [-1, -1],
  ] as const)
    checkUlimits([{ name: "core", soft, hard }], free);
  assert.throws(
    () => checkUlimits([{ name: "core", soft: 2, hard: 1 }], free),
    /ulimit soft limit must be less than or equal to hard limit: 2 > 1$/,
  );
  assert.throws(() => checkUlimits([{ name: "core", soft: -1, hard: 1 }], free), /soft: -1 \(unlimited\), hard: 1$/);
  assert.throws(() => checkUlimits([{ name: "core", soft: -2, hard: -2 }], free), /invalid ulimit core/);
  assert.throws(() => checkUlimits([{ name: "as", soft: 1, hard: 1 }], free), /invalid ulimit type: as/);
});

test("checkUlimits: warns where the daemon may not raise its own limit", () => {
  const at = (hard: number) => checkUlimits([{ name: "nofile", soft: 1, hard }], bound).length;
  assert.deepEqual([at(1000), at(1001), at(-1)], [0, 1, 1]);
});

test("runtimeRlimits: the container's own before the daemon's; unlimited is RLIM_INFINITY, exactly", () => {
  const text = JSON.stringify(
    runtimeRlimits(
      [{ name: "core", soft: 0, hard: -1 }],
      [
        { name: "core", soft: 7, hard: 7 },
        { name: "nproc", soft: 5, hard: 6 },
      ],
      free,
    ),
  );
  assert.equal(
    text,
    '[{"type":"RLIMIT_CORE","soft":0,"hard":18446744073709551615},{"type":"RLIMIT_NPROC","soft":5,"hard":6}]',
  );
});

test("runtimeRlimits: none above the daemon's own hard limit, where that cannot be raised", () => {
  const [limit] = runtimeRlimits([{ name: "nofile", soft: 2000, hard: -1 }], [], bound);
  assert.deepEqual(limit, { type: "RLIMIT_NOFILE", soft: 1000, hard: 1000 });
});
