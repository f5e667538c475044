import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { defaultCapabilities, resolveCapabilities } from "./capabilities.ts";

const everything = (): boolean => true;
const plain = { add: [], drop: [], privileged: false };

test("resolveCapabilities: gives Docker's fourteen by default", () => {
  const granted = resolveCapabilities(plain, everything);
  assert.deepEqual(new Set(granted), new Set(defaultCapabilities));
  assert.equal(granted.length, 14);
});

test("resolveCapabilities: adds and drops, names with and without CAP_", () => {
  const granted = resolveCapabilities({ ...plain, add: ["net_admin"], drop: ["CAP_CHOWN", "mknod"] }, everything);
  assert.ok(granted.includes("CAP_NET_ADMIN"));
  assert.ok(!granted.includes("CAP_CHOWN") && !granted.includes("CAP_MKNOD"));
});

test("resolveCapabilities: ALL in both directions", () => {
  assert.deepEqual(resolveCapabilities({ ...plain, add: ["NET_RAW"], drop: ["ALL"] }, everything), ["CAP_NET_RAW"]);
  const most = resolveCapabilities({ ...plain, add: ["ALL"], drop: ["SYS_ADMIN"] }, everything);
  assert.ok(most.includes("CAP_SYS_MODULE") && !most.includes("CAP_SYS_ADMIN"));
});

test("resolveCapabilities: never more than the machine has", () => {
  const without = (name: string): boolean => name !== "CAP_SYS_RESOURCE" && name !== "CAP_MKNOD";
  assert.ok(!resolveCapabilities(plain, without).includes("CAP_MKNOD"));
  assert.ok(!resolveCapabilities({ ...plain, privileged: true }, without).includes("CAP_SYS_RESOURCE"));
  assert.throws(
    () => resolveCapabilities({ ...plain, add: ["SYS_RESOURCE"] }, without),
    (error) =>
      isFault(error, "invalid") &&
      error.message ===
        'invalid CapAdd: capability not supported by your kernel or not available in the current environment: "CAP_SYS_RESOURCE"',
  );
});

test("resolveCapabilities: refuses unknown names, also for privileged containers", () => {
  assert.throws(
    () => resolveCapabilities({ ...plain, privileged: true, drop: ["FLY"] }, everything),
    (error) => isFault(error, "invalid") && error.message === 'invalid CapDrop: unknown capability: "CAP_FLY"',
  );
});
