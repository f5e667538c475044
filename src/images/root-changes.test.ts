import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { RootChange } from "./images.ts";
import { dockerArchive, loadBytes, openTestRoom, tarOf, type TestRoom } from "./images.fixture.ts";
import { compareListings, type Listing } from "./root-changes.ts";

const letters = { modified: "C", added: "A", deleted: "D" } as const;

/** As `docker diff` prints them. */
function printed(changes: readonly RootChange[]): string[] {
  return changes.map(({ kind, path }) => `${letters[kind]} ${path}`);
}

/** A container of an image with two layers, the second of which removes and replaces; what a shell does in it; the changes. */
async function changesAfter(room: TestRoom, container: string, script: string): Promise<string[]> {
  const { images, shim, folder } = room;
  const root = await images.createRoot(images.find("base").id, container);
  const target = join(folder, "layers", ".mount");
  const ran = await shim.runToEnd({
    argv: ["sh", "-ec", script],
    cwd: target,
    mounts: root.mountsAt(target),
    env: { LC_ALL: "C" },
  });
  assert.equal(ran.code, 0, ran.stderr);
  return printed(await images.rootChanges(container));
}

test("rootChanges: added, changed, deleted; folders above a change; kinds that change", async () => {
  await using room = await openTestRoom();
  const below = await tarOf([
    { path: "etc/" },
    { path: "etc/passwd", data: "root" },
    { path: "etc/gone", data: "x" },
    { path: "dir/" },
    { path: "dir/one", data: "1" },
    { path: "dir/two", data: "2" },
    { path: "dir/sub/" },
    { path: "dir/sub/three", data: "3" },
    { path: "same/" },
    { path: "same/file", data: "s" },
    { path: "link", type: "symlink", linkPath: "/etc" },
  ]);
  const above = await tarOf([
    { path: "etc/" },
    { path: "etc/.wh.gone" },
    { path: "new/" },
    { path: "new/file", data: "n" },
  ]);
  await loadBytes(room.images, await dockerArchive([{ tags: ["base:latest"], layers: [below, above] }]));

  assert.deepEqual(await changesAfter(room, "untouched", "true"), []);
  assert.deepEqual(await changesAfter(room, "read", "cat etc/passwd >/dev/null; ls -R >/dev/null"), []);
  assert.deepEqual(
    await changesAfter(
      room,
      "plain",
      "echo more >>etc/passwd; rm new/file; mkdir -p a/b; echo x >a/b/c; ln -s nowhere a/l",
    ),
    ["A /a", "A /a/b", "A /a/b/c", "A /a/l", "C /etc", "C /etc/passwd", "C /new", "D /new/file"],
  );
  // What an upper layer of the image removed is new when it comes again.
  assert.deepEqual(await changesAfter(room, "again", "echo x >etc/gone"), ["C /etc", "A /etc/gone"]);
  assert.deepEqual(await changesAfter(room, "deleted", "rm -r dir"), ["D /dir"]);
  // Removed and made anew: overlayfs marks the folder alone (opaque).
  assert.deepEqual(await changesAfter(room, "opaque", "rm -r dir; mkdir dir; echo 1 >dir/one; echo n >dir/new"), [
    "C /dir",
    "A /dir/new",
    "C /dir/one",
    "D /dir/sub",
    "D /dir/two",
  ]);
  assert.deepEqual(await changesAfter(room, "emptied", "rm -r dir; mkdir dir"), [
    "C /dir",
    "D /dir/one",
    "D /dir/sub",
    "D /dir/two",
  ]);
  assert.deepEqual(await changesAfter(room, "to-file", "rm -r dir; echo file >dir"), ["C /dir"]);
  assert.deepEqual(await changesAfter(room, "to-folder", "rm link; mkdir link; echo x >link/passwd"), [
    "C /link",
    "A /link/passwd",
  ]);
  assert.deepEqual(await changesAfter(room, "mode", "chmod 700 same; touch -h link"), ["C /link", "C /same"]);
  assert.deepEqual(await changesAfter(room, "names", `: >"a b"; : >"$(printf 'n\\nl')"; : >ü; : >-name`), [
    "A /-name",
    "A /a b",
    "A /n\nl",
    "A /ü",
  ]);
  assert.deepEqual(
    await changesAfter(room, "nodes", "mknod null c 1 3; rm same/file; mknod same/file c 1 3; mkfifo pipe"),
    ["A /null", "A /pipe", "C /same", "C /same/file"],
  );
  // What every container gets mounted is not the container's work.
  assert.deepEqual(await changesAfter(room, "mount-points", "ls etc/hosts .dockerenv dev proc"), []);
  await assert.rejects(room.images.rootChanges("nobody"), /no root filesystem/);
});

test("rootChanges: symlinks lead nowhere, deep trees and many files are listed", async () => {
  await using room = await openTestRoom();
  const layer = await tarOf([{ path: "etc/" }, { path: "etc/passwd", data: "root" }]);
  await loadBytes(room.images, await dockerArchive([{ tags: ["base:latest"], layers: [layer] }]));
  assert.deepEqual(await changesAfter(room, "hostile", "rm -r etc; ln -s /etc etc; ln -s / root"), [
    "C /etc",
    "A /root",
  ]);
  const many = await changesAfter(room, "many", "mkdir m; cd m; seq -f file-%04g 1000 | xargs touch");
  assert.equal(many.length, 1001);
  assert.equal(many.at(-1), "A /m/file-1000");
  const deep = await changesAfter(room, "deep", 'mkdir -p "$(printf "some-folder%.0s/" $(seq 200))"');
  assert.equal(deep.length, 200);
});

test("compareListings: a folder whose changes cannot be told apart in the image is taken as it was written", () => {
  const listing = (folders: Record<string, Record<string, string>>): Listing =>
    new Map(
      Object.entries(folders).map(([folder, entries]) => [
        folder,
        new Map(Object.entries(entries).map(([name, type]) => [name, { type, facts: "" }])),
      ]),
    );
  // Under what was a symlink, find may have looked elsewhere: that was no folder of the image.
  const upper = listing({ ".": { a: "d" }, "./a": { b: "f" } });
  const before = listing({ ".": { a: "l" }, "./a": { b: "f", c: "f" } });
  const now = new Set(["./a", "./a/b"]);
  assert.deepEqual(printed(compareListings({ upper, before, now })), ["C /a", "A /a/b"]);
});
