import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Digest } from "#core/digest";
import type { Images } from "./images.ts";
import { dockerArchive, loadBytes, openTestRoom, tarOf, type TestEntry, type TestRoom } from "./images.fixture.ts";

const xattr = (name: string, value: string): ReadonlyMap<string, string> => new Map([[`SCHILY.xattr.${name}`, value]]);

async function load(room: TestRoom, layers: readonly Uint8Array[], container: string): Promise<Digest> {
  const lines = await loadBytes(room.images, await dockerArchive([{ layers }]));
  const id = lines.at(-1)?.stream?.replace("Loaded image ID: ", "").trim() as Digest;
  await room.images.createRoot(id, container);
  return id;
}

async function stack(room: TestRoom, ...layers: readonly (readonly TestEntry[])[]): Promise<void> {
  await load(room, await Promise.all(layers.map(tarOf)), "c");
}

test("unpack: whiteouts and opaque directories hide what is below, and never the layer's own", async () => {
  await using room = await openTestRoom();
  const below = ["gone", "kept", "both/old", "opq/old", "opq/sub/old", "late/old", "file/old"].map((path) => ({
    path,
    data: "below",
  }));
  await stack(
    room,
    [...["both/", "opq/", "opq/sub/", "late/", "file/"].map((path) => ({ path })), ...below],
    [
      { path: ".wh.gone" },
      { path: ".wh.both" },
      { path: "both/", mode: 0o700, mtimeNs: 1_000_000_000_000_000_000n },
      { path: "both/new", data: "above" },
      { path: "opq/" },
      { path: "opq/new", data: "above" },
      { path: "opq/.wh..wh..opq" },
      { path: "late/" },
      { path: "late/new", data: "above" },
      { path: ".wh.late" },
      { path: "file", data: "now a file" },
      { path: ".wh.file" },
      { path: ".wh.never-was" },
      { path: ".wh..wh.plnk/1.2", data: "aufs" },
    ],
  );
  assert.equal(
    await room.inRoot("c", "find . ! -name . | sort; stat -c '%a %Y' both"),
    "./both\n./both/new\n./file\n./kept\n./late\n./late/new\n./opq\n./opq/new\n700 1000000000\n",
  );
});

test("unpack: directories named in passing below one that is hidden do not look like the hidden ones", async () => {
  await using room = await openTestRoom();
  await stack(
    room,
    [
      { path: "a/", mode: 0o700 },
      { path: "a/b/", mode: 0o700 },
      { path: "c/", mode: 0o700 },
    ],
    [{ path: "a/b/new" }, { path: ".wh.a" }, { path: "c/d/new" }],
  );
  assert.equal(await room.inRoot("c", "stat -c '%a %n' a a/b c c/d"), "755 a\n755 a/b\n700 c\n755 c/d\n");
});

test("unpack: modes, owners, times, devices, attributes and capabilities are as the archive says", async () => {
  await using room = await openTestRoom();
  const acl = "0200000001000700ffffffff020005000100000004000500ffffffff10000500ffffffff20000500ffffffff";
  const capability = Buffer.from("0100000200040000000000000000000000000000", "hex").toString("latin1");
  await stack(room, [
    { path: "./", mode: 0o751, uid: 3, gid: 4 },
    { path: "suid", data: "x", mode: 0o6755, uid: 1000, gid: 3_000_000, mtimeNs: 1_234_567_890_123_456_789n },
    { path: "sticky/", mode: 0o1777, mtimeNs: 86_400_000_000_000n },
    { path: "sticky/in", data: "in" },
    { path: "caps", data: "x", mode: 0o755, pax: xattr("security.capability", capability) },
    { path: "user", data: "x", pax: xattr("user.key", "a\0b=c\n") },
    {
      path: "acl",
      data: "x",
      mode: 0o755,
      pax: xattr("system.posix_acl_access", Buffer.from(acl, "hex").toString("latin1")),
    },
    { path: "null", type: "char", major: 1, minor: 3, mode: 0o666 },
    { path: "disk", type: "block", major: 259, minor: 70_000 },
    { path: "pipe", type: "fifo" },
    { path: "link", type: "symlink", linkPath: "../../../etc/passwd", uid: 5 },
    { path: "hard", type: "hardlink", linkPath: "suid" },
    { path: "old", data: "x", mtimeNs: -86_400_000_000_000n },
    { path: "evil", data: "x", pax: xattr("trusted.overlay.redirect", "/etc") },
  ]);
  const facts = await room.inRoot(
    "c",
    "stat -c '%n %f %u %g %s %t:%T %h %y' * && readlink link && stat -c '%a %u %g' .",
  );
  const expected = [
    /^suid 8ded 1000 3000000 1 0:0 2 2009-02-13 23:31:30.123456789 /m,
    /^hard 8ded 1000 3000000 1 0:0 2 /m,
    /^sticky 43ff 0 0 .* 1970-01-02 00:00:00.0/m,
    /^null 21b6 0 0 0 1:3 /m,
    /^disk 61a4 0 0 0 103:11170 /m,
    /^pipe 11a4 /m,
    /^link a1ff 5 /m,
    /^old .* 1969-12-31 00:00:00.0/m,
    /^\.\.\/\.\.\/\.\.\/etc\/passwd$/m,
    /^751 3 4$/m,
  ];
  for (const line of expected) assert.match(facts, line);
  const layer = join(
    room.folder,
    "layers",
    readdirSync(join(room.folder, "layers")).find((name) => !name.startsWith(".")) ?? "",
  );
  assert.deepEqual(attributesOf(join(layer, "caps")), {
    "security.capability": Buffer.from(capability, "latin1").toString("hex"),
  });
  assert.deepEqual(attributesOf(join(layer, "user")), { "user.key": Buffer.from("a\0b=c\n").toString("hex") });
  assert.deepEqual(attributesOf(join(layer, "acl")), { "system.posix_acl_access": acl });
  assert.deepEqual(attributesOf(join(layer, "evil")), {});
});

test("unpack: long and non-UTF-8 names stay exact", async () => {
  await using room = await openTestRoom();
  const deep = Array.from({ length: 15 }, (_, index) => String(index).repeat(200).slice(0, 255)).join("/");
  const odd = "\xff\xfe odd \x01\n name";
  await stack(room, [
    { path: `${deep}/f`, data: "deep" },
    { path: odd, data: "odd" },
    { path: "n".repeat(255), data: "255" },
    { path: `${"\xfc".repeat(180)}/${"\xe9".repeat(200)}`, data: "long and odd" },
    { path: "to-odd", type: "symlink", linkPath: odd.repeat(20) },
  ]);
  assert.equal(
    await room.inRoot("c", `cat '${deep}/f'; cat nn*; readlink -n to-odd | wc -c`),
    `deep255${20 * odd.length}\n`,
  );
  const layer = readdirSync(join(room.folder, "layers")).find((name) => !name.startsWith("."));
  const raw = readdirSync(Buffer.from(join(room.folder, "layers", layer ?? "")), { encoding: "buffer" });
  const names = new Set(raw.map((name) => name.toString("latin1")));
  assert.ok(names.has(odd));
  assert.ok(names.has("\xfc".repeat(180)));
});

test("unpack: hard links to a lower layer's file, and directories named in passing, are completed from below", async () => {
  await using room = await openTestRoom();
  await stack(
    room,
    [
      { path: "./", mode: 0o711, uid: 7 },
      { path: "dir/", mode: 0o750, uid: 12, pax: xattr("user.a", "b") },
      { path: "dir/file", data: "below", mode: 0o640 },
    ],
    [
      { path: "dir/new", data: "new" },
      { path: "link", type: "hardlink", linkPath: "dir/file" },
    ],
  );
  assert.equal(
    await room.inRoot("c", "cat link dir/file dir/new; stat -c ' %a %u' dir link .; stat -c %h link"),
    "belowbelownew 750 12\n 640 0\n 711 7\n2\n",
  );
});

test("unpack: entries below a symlink go where it leads within the layer; later entries replace earlier ones", async () => {
  await using room = await openTestRoom();
  await stack(room, [
    { path: "usr/" },
    { path: "usr/lib/" },
    { path: "lib", type: "symlink", linkPath: "/usr/lib" },
    { path: "lib/a", data: "absolute " },
    { path: "up", type: "symlink", linkPath: "../../../usr" },
    { path: "up/lib/b", data: "dots " },
    { path: "twice", data: "first " },
    { path: "twice", data: "second " },
    { path: "tree/" },
    { path: "tree", data: "file " },
    { path: "file", data: "f" },
    { path: "file/" },
    { path: "file/in", data: "in" },
  ]);
  assert.equal(await room.inRoot("c", "cat usr/lib/a usr/lib/b twice tree file/in"), "absolute dots second file in");
});

test("unpack: a hundred and twenty layers make one root", async () => {
  await using room = await openTestRoom();
  const layers = Array.from({ length: 120 }, (_, index) => [
    { path: "d/" },
    { path: `d/${index}`, data: "x" },
    { path: "top", data: `${index}` },
  ]);
  await stack(room, ...layers);
  assert.equal(await room.inRoot("c", "ls d | wc -l; cat top"), "120\n119");
});

test("unpack: the same layers asked for many times at once are unpacked once", async () => {
  await using room = await openTestRoom();
  const layers = await Promise.all(
    [0, 1, 2].map(async (index) => await tarOf([{ path: `f${index}`, data: "x".repeat(100_000) }])),
  );
  const archives = await Promise.all(
    Array.from(
      { length: 5 },
      async (_, index) =>
        await dockerArchive([{ layers, tags: [`t:${index}`], config: { Labels: { n: String(index) } } }]),
    ),
  );
  await Promise.all(archives.map(async (archive) => await loadBytes(room.images, archive)));
  assert.equal(room.images.list({ all: false, filters: {} }).length, 5);
  assert.equal(readdirSync(join(room.folder, "layers")).filter((name) => !name.startsWith(".")).length, 3);
  assert.equal(room.images.layerUse().layersBytes, 300_000);
});

test("unpack: a hundred thousand tiny entries need little memory", async () => {
  await using room = await openTestRoom();
  const layer = await tarOf(
    Array.from({ length: 100_000 }, (_, index) => ({ path: `d${index % 100}/f${index}`, data: "" })),
  );
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  await load(room, [layer], "c");
  assert.equal(await room.inRoot("c", "find . -type f | wc -l"), "100000\n");
  assert.ok(process.memoryUsage().rss - before < 250 << 20, `${(process.memoryUsage().rss - before) >> 20} MiB`);
});

test("readRootFile: symlinks stay in the root", async () => {
  await using room = await openTestRoom();
  await stack(room, [
    { path: "etc/" },
    { path: "etc/passwd", type: "symlink", linkPath: "/real/passwd" },
    { path: "real/" },
    { path: "real/passwd", data: "of the image" },
    { path: "out", type: "symlink", linkPath: "../../../../../../etc/hostname" },
    { path: "loop", type: "symlink", linkPath: "loop" },
    { path: "dirlink", type: "symlink", linkPath: "/etc" },
  ]);
  const read = async (images: Images, path: string): Promise<string | undefined> =>
    await images.readRootFile("c", path);
  assert.equal(await read(room.images, "/etc/passwd"), "of the image");
  assert.equal(await read(room.images, "/dirlink/passwd"), "of the image");
  assert.equal(await read(room.images, "/out"), undefined);
  assert.equal(await read(room.images, "/etc"), undefined);
  await assert.rejects(read(room.images, "/loop"), /too many symbolic links/);
});

/** Extended attributes by name, values in hex; overlay's own left out. */
function attributesOf(path: string): Record<string, string> {
  const script =
    "import os,sys,json; p=sys.argv[1]; print(json.dumps({n: os.getxattr(p,n).hex() for n in os.listxattr(p)}))";
  return JSON.parse(execFileSync("python3", ["-c", script, path], { encoding: "utf8" }));
}
