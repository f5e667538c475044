import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { boundOf, localSource } from "./local-options.ts";

test("localSource: without options a volume is a folder of its own", () => {
  assert.equal(localSource({}), undefined);
  assert.equal(boundOf({}), undefined);
});

test("boundOf: a volume's own data may have a bound, in whole blocks", () => {
  assert.equal(localSource({ size: "1.5g" }), undefined);
  assert.deepEqual(
    ["1.5g", "16m", String(2 ** 24 + 1)].map((size) => boundOf({ size })),
    [1.5 * 2 ** 30, 2 ** 24, 2 ** 24],
  );
});

test("localSource: binds, file systems, and what is in memory", () => {
  assert.deepEqual(localSource({ type: "none", device: "/srv/../srv/data", o: "bind,ro,nodev" }), {
    kind: "folder",
    path: "/srv/data",
    flags: ["ro", "nodev"],
  });
  assert.deepEqual(
    localSource({ type: "tmpfs", device: "tmpfs", o: "size=64m,uid=1000,noexec,exec,nosuid,defaults" }),
    {
      kind: "memory",
      type: "tmpfs",
      device: "tmpfs",
      flags: ["nosuid"],
      data: "size=64m,uid=1000",
    },
  );
  assert.deepEqual(localSource({ type: "nfs", device: ":/export", o: "addr=192.0.2.1,rw,nfsvers=4,noatime" }), {
    kind: "mount",
    type: "nfs",
    device: ":/export",
    flags: ["noatime"],
    data: "addr=192.0.2.1,nfsvers=4",
  });
  const ext4 = { type: "ext4", device: "/dev/sdb1" };
  assert.deepEqual(localSource(ext4), { kind: "mount", ...ext4, flags: [], data: "" });
});

const refused: [Record<string, string>, RegExp][] = [
  [{ color: "red" }, /^invalid option: "color"$/],
  [{ type: "tmpfs" }, /^missing required option: "device"$/],
  [{ device: "/x", o: "bind" }, /^missing required option: "type"$/],
  [{ o: "bind" }, /^missing required option: "device"$/],
  [{ type: "none", device: "/x" }, /needs o=bind$/],
  [{ type: "none", device: "relative", o: "bind" }, /must be an absolute path$/],
  [{ type: "none", device: "/x", o: "bind,size=1m" }, /^invalid option for a bind: "size=1m"$/],
  [{ type: "tmpfs", device: "tmpfs", o: "remount" }, /^invalid option: "remount"$/],
  [{ type: "nfs", device: "server:/x", o: "rw" }, /needs the server's address: o=addr=…$/],
  [{ size: "much" }, /^invalid size: 'much'$/],
  [{ size: "15m" }, /^invalid size: '15m' is not between 16m and 16t$/],
  [{ size: "17t" }, /is not between 16m and 16t$/],
  [{ size: "20m", type: "tmpfs", device: "tmpfs" }, /^conflicting options: "size" and "type"$/],
  [{ type: "tmpfs", device: "a\0b" }, /NUL byte/],
];

for (const [options, message] of refused) {
  test(`localSource: refuses ${JSON.stringify(options)}`, () => {
    assert.throws(
      () => localSource(options),
      (error) => isFault(error, "invalid") && message.test(error.message),
    );
  });
}
