import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { resolveUser } from "./user.ts";

const files = {
  passwd: "# people\nroot:x:0:0:root:/root:/bin/sh\nana:x:1000:1001:Ana:/home/ana:/bin/sh\nbroken\n77:x:5:6::/seven:\n",
  group: "root:x:0:\nwheel:x:10:root,ana\nana:x:1001:\naudio:x:29:ana\nextra:x:77:\n",
};

function resolved(text: string, groupAdd: readonly string[] = []): unknown {
  const { ids, home } = resolveUser(text, groupAdd, files);
  return [ids.uid, ids.gid, ids.additionalGids, home];
}

test("resolveUser: root with its groups when nobody is asked for", () => {
  assert.deepEqual(resolved(""), [0, 0, [0, 10], "/root"]);
});

test("resolveUser: names, ids, and names that look like ids", () => {
  assert.deepEqual(resolved("ana"), [1000, 1001, [1001, 10, 29], "/home/ana"]);
  assert.deepEqual(resolved("1000"), [1000, 1001, [1001, 10, 29], "/home/ana"]);
  assert.deepEqual(resolved("77"), [5, 6, [6], "/seven"]);
});

test("resolveUser: ids without an entry are taken as they are", () => {
  assert.deepEqual(resolved("4242"), [4242, 0, [0], "/"]);
  assert.deepEqual(resolved("4242:4343"), [4242, 4343, [4343], "/"]);
});

test("resolveUser: an asked group takes the place of the user's own", () => {
  assert.deepEqual(resolved("ana:extra"), [1000, 77, [77], "/home/ana"]);
  assert.deepEqual(resolved("ana", ["extra", "5"]), [1000, 1001, [1001, 10, 29, 77, 5], "/home/ana"]);
});

test("resolveUser: Docker's words for names that are not there", () => {
  const cases: [string, string][] = [
    ["eve", "unable to find user eve: no matching entries in passwd file"],
    ["ana:eves", "unable to find group eves: no matching entries in group file"],
    ["9999999999", "uids and gids must be in range 0-2147483647"],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => resolveUser(text, [], files),
      (error) => isFault(error, "invalid") && error.message === message,
    );
  }
});

test("resolveUser: works without passwd and group", () => {
  const { ids, home } = resolveUser("", [], { passwd: undefined, group: undefined });
  assert.deepEqual([ids, home], [{ uid: 0, gid: 0, additionalGids: [0] }, "/"]);
});

test("resolveUser: ids of passwd and group entries that do not fit are refused, as given ones are", () => {
  const files = { passwd: "big:x:4294967296:0::/:\nwide:x:5:4294967296::/:\n", group: "big:x:4294967296:\n" };
  for (const text of ["big", "wide", "0:big", "4294967296", "0:4294967296"]) {
    assert.throws(() => resolveUser(text, [], files), /must be in range/, text);
  }
});
