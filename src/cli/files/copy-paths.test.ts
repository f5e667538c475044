import assert from "node:assert/strict";
import { test } from "node:test";
import { placeOf, renamed, splitArgument, splitPath } from "./copy-paths.ts";

test("splitArgument: a container's path, or one of this machine", () => {
  assert.deepEqual(splitArgument("web:/etc"), { container: "web", path: "/etc" });
  assert.deepEqual(splitArgument("web:a:b"), { container: "web", path: "a:b" });
  for (const path of ["/a:b", "./a:b", "../a:b", "file", "-"])
    assert.deepEqual(splitArgument(path), { container: "", path });
});

test("splitPath: folder and last part", () => {
  const table = {
    "/a/b": ["/a", "b"],
    "/a/b/": ["/a", "b"],
    "/a/.": ["/a", "."],
    "/a": ["/", "a"],
    "/": ["/", "/"],
    a: [".", "a"],
    ".": [".", "."],
  };
  for (const [path, [folder, base]] of Object.entries(table)) assert.deepEqual(splitPath(path), { folder, base }, path);
});

test("placeOf: where a copy goes, and its name there", () => {
  const file = { base: "f", isFolder: false };
  const tree = { base: "d", isFolder: true };
  assert.deepEqual(placeOf(file, { path: "/x", kind: "folder" }), { folder: "/x", name: "f" });
  assert.deepEqual(placeOf(file, { path: "/x/y", kind: "other" }), { folder: "/x", name: "y" });
  assert.deepEqual(placeOf(file, { path: "/x/y", kind: "absent" }), { folder: "/x", name: "y" });
  assert.deepEqual(placeOf(tree, { path: "/x/y/", kind: "absent" }), { folder: "/x", name: "y" });
  assert.throws(() => placeOf(tree, { path: "/x/y", kind: "other" }), /cannot copy directory/);
  assert.throws(() => placeOf(file, { path: "/x/y/", kind: "absent" }), /no such directory/);
});

test("renamed: the first part of an entry's name alone", () => {
  assert.equal(renamed("d/d/x", "d", "e"), "e/d/x");
  assert.equal(renamed("dd/x", "d", "e"), "dd/x");
  assert.equal(renamed("./.x", ".", "e"), "e/.x");
  assert.equal(renamed("/etc/x", "/", "e"), "e/etc/x");
});
