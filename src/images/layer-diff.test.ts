import assert from "node:assert/strict";
import { test } from "node:test";
import { readTar } from "#core/tar-read";
import { bytesOf, piecesOf, tarOf, type TestEntry } from "./images.fixture.ts";
import { LayerDiff } from "./layer-diff.ts";

const opaque = new Map([["SCHILY.xattr.trusted.overlay.opaque", "y"]]);

/** What becomes of the entries: `type path` and the attributes' names. */
async function translated(
  ...entries: readonly TestEntry[]
): Promise<{ readonly lines: string[]; readonly isEmpty: boolean }> {
  const diff = new LayerDiff();
  const bytes = await bytesOf(diff.translate(piecesOf(await tarOf(entries))));
  const lines: string[] = [];
  for await (const { header } of readTar(piecesOf(bytes))) {
    const link = header.linkPath === "" ? "" : ` > ${header.linkPath}`;
    lines.push([`${header.type} ${header.path}${link}`, ...header.pax.keys()].join(" "));
  }
  return { lines, isEmpty: diff.isEmpty };
}

test("LayerDiff: whiteouts, also as links of one device, and opaque folders", async () => {
  const { lines, isEmpty } = await translated(
    { path: "./" },
    { path: "./etc/" },
    { path: "./etc/gone", type: "char" },
    { path: "./etc/also-gone", type: "hardlink", linkPath: "./etc/gone" },
    { path: "./new/", pax: opaque },
    { path: "./new/file", data: "x" },
    { path: "./new/same", type: "hardlink", linkPath: "./new/file" },
    { path: "./tty", type: "char", major: 5 },
  );
  assert.equal(isEmpty, false);
  assert.deepEqual(lines, [
    ...["directory ./", "directory etc/", "file etc/.wh.gone", "file etc/.wh.also-gone"],
    ...["directory new/", "file new/.wh..wh..opq", "file new/file", "hardlink new/same > new/file", "char tty"],
  ]);
});

test("LayerDiff: attributes of this machine are dropped, others kept; our own mount points are no change", async () => {
  const names = [
    "trusted.overlay.origin",
    "trusted.overlay.impure",
    "security.selinux",
    "security.capability",
    "user.note",
  ];
  const pax = new Map([...names.map((name) => [`SCHILY.xattr.${name}`, "v"] as const), ["atime", "1.5"] as const]);
  const { lines } = await translated({ path: "./file", data: "x", pax });
  assert.deepEqual(lines, ["file file SCHILY.xattr.security.capability SCHILY.xattr.user.note"]);
  assert.deepEqual(await translated({ path: "./" }, { path: "./.dockerenv", type: "char" }), {
    lines: ["directory ./"],
    isEmpty: true,
  });
});

test("LayerDiff: a file whose name would mean a removal is refused", async () => {
  await assert.rejects(translated({ path: "./dir/.wh.name", data: "x" }), { kind: "invalid" });
});
