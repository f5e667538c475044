import assert from "node:assert/strict";
import { test } from "node:test";
import type { MountOp } from "#host";
import { dockerArchive, loadBytes, openTestRoom, tarOf } from "../../images/images.fixture.ts";
import { TreeFiles } from "./base-files.ts";
import { copied, file, folder } from "./copy.fixture.ts";
import { join } from "node:path";

const acl =
  "\u0002\0\0\0\u0001\0\u0007\0\xff\xff\xff\xff\u0004\0\u0005\0\xff\xff\xff\xff\x20\0\u0005\0\xff\xff\xff\xff";

test("TreeFiles: kinds, links, names and looks as they are, symlinks never followed", async () => {
  await using room = await openTestRoom();
  const odd = Buffer.from([0x61, 0xff, 0x0a, 0x62]).toString("latin1");
  const layer = await tarOf([
    {
      path: "etc/",
      mode: 0o2751,
      uid: 70_000,
      mtimeNs: 1_500_000_000_123_456_789n,
      pax: new Map([["SCHILY.xattr.system.posix_acl_default", acl]]),
    },
    { path: "etc/passwd", data: "root" },
    { path: `etc/${odd}`, data: "" },
    { path: "etc/pipe", type: "fifo" },
    { path: "out", type: "symlink", linkPath: "/etc" },
  ]);
  await loadBytes(room.images, await dockerArchive([{ tags: ["base:latest"], layers: [layer] }]));
  await room.images.createRoot(room.images.find("base").id, "c");
  const tree = join(room.folder, "layers", ".mount");
  const mounts = room.images.openRoot("c").shownAt(tree).map(ownLayers);
  await using files = new TreeFiles(room.shim, { tree, mounts }, AbortSignal.timeout(30_000));
  assert.deepEqual(Object.fromEntries(await files.look(["etc", "etc/passwd", "etc/none", "out", "-x", `etc/${odd}`])), {
    etc: { kind: "directory", linkPath: "" },
    "etc/passwd": { kind: "file", linkPath: "" },
    out: { kind: "symlink", linkPath: "/etc" },
    [`etc/${odd}`]: { kind: "file", linkPath: "" },
  });
  assert.deepEqual([...(await files.list("etc"))].map(([name, { kind }]) => `${name} ${kind}`).sort(), [
    `${odd} file`,
    "passwd file",
    "pipe other",
  ]);
  assert.deepEqual([...(await files.list("")).keys()].sort(), ["etc", "out"]);
  assert.equal((await files.list("none")).size, 0);
  const header = (await files.headers(["etc"])).get("etc");
  assert.equal(header?.mode, 0o2751);
  assert.equal(header.uid, 70_000);
  assert.equal(header.mtimeNs, 1_500_000_000_123_456_789n);
  assert.equal(header.pax.get("SCHILY.xattr.system.posix_acl_default"), acl);
  const lines = await copied([file("a", "A")], "/out/", { base: files });
  assert.match(lines[0] ?? "", /^directory 2751 70000:0 1500000000 etc\/ SCHILY\.xattr\.system\.posix_acl_default=/);
  assert.equal(lines[1], "file 644 0:0 0 etc/a A");
  await assert.rejects(copied([folder("s", { path: "passwd/" })], "/etc", { base: files }), { kind: "invalid" });
});

/** The image's own layers, without what every container has. */
function ownLayers(op: MountOp): MountOp {
  return op.op === "overlay" && op.lowers.length > 1 ? { ...op, lowers: op.lowers.slice(0, -1) } : op;
}
