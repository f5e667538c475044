import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { localSource } from "./local-options.ts";

test("localSource: without options a volume is a folder of its own", () => {
  assert.equal(localSource({}), undefined);
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
  [{ size: "10G" }, /^quota size requested but no quota support$/],
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
