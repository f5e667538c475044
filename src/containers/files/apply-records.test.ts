import assert from "node:assert/strict";
import { test } from "node:test";
import { tarHeader } from "#core/tar";
import { encodeEntry } from "./apply-records.ts";

test("encodeEntry: a record as shim/apply.c reads it", () => {
  const pax = new Map([
    ["SCHILY.xattr.user.a", "1"],
    ["SCHILY.xattr.trusted.overlay.opaque", "y"],
  ]);
  const header = { type: "file", path: "/d/./f", mode: 0o4755, uid: 7, gid: 8, sizeBytes: 5, pax } as const;
  const record = Buffer.from(encodeEntry(tarHeader({ ...header, mtimeNs: -1n }), undefined) ?? []);
  assert.equal(record[0], "f".charCodeAt(0));
  const numbers = Array.from({ length: 9 }, (_, index) => record.readUInt32BE(1 + 4 * index));
  assert.deepEqual(numbers, [0o4755, 7, 8, 999_999_999, 0, 0, 3, 0, 15]);
  assert.equal(record.readBigInt64BE(37), -1n);
  assert.equal(record.readBigUInt64BE(45), 5n);
  assert.equal(record.toString("latin1", 53, 56), "d/f");
  assert.equal(record.toString("latin1", 60, 66), "user.a");
  const owned = Buffer.from(encodeEntry(tarHeader(header), { uid: 1, gid: 2 }) ?? []);
  assert.deepEqual([owned.readUInt32BE(5), owned.readUInt32BE(9)], [1, 2]);
});

test("encodeEntry: the folder itself is no entry; names that leave it are refused", () => {
  for (const path of ["./", "/", "a/.."])
    assert.equal(encodeEntry(tarHeader({ type: "directory", path }), undefined), undefined);
  for (const path of ["..", "a/../../b"]) {
    assert.throws(() => encodeEntry(tarHeader({ type: "file", path }), undefined), { kind: "invalid" });
    assert.throws(() => encodeEntry(tarHeader({ type: "hardlink", path: "x", linkPath: path }), undefined), {
      kind: "invalid",
    });
  }
  assert.ok(encodeEntry(tarHeader({ type: "symlink", path: "x", linkPath: "../../y" }), undefined));
});
