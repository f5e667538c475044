import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { isSystemPath, parseIdmap } from "./owner-changes.ts";

const all = { inside: 0, outside: 0, size: 2 ** 32 - 1 };

test("parseIdmap: Podman's forms", () => {
  assert.deepEqual(parseIdmap("uids=0-1-10#10-11-10;gids=0-100-10", undefined), {
    uids: [
      { inside: 0, outside: 1, size: 10 },
      { inside: 10, outside: 11, size: 10 },
    ],
    gids: [{ inside: 0, outside: 100, size: 10 }],
  });
  assert.deepEqual(parseIdmap("gids=5-6-1", undefined), { uids: [all], gids: [{ inside: 5, outside: 6, size: 1 }] });
});

test("parseIdmap: @ counts in the container's user namespace", () => {
  const ranges = [
    { inside: 0, outside: 100_000, size: 1000 },
    { inside: 1000, outside: 500_000, size: 10 },
  ];
  const namespace = { uids: ranges, gids: ranges };
  assert.deepEqual(parseIdmap("uids=@0-1002-3", namespace).uids, [{ inside: 0, outside: 500_002, size: 3 }]);
  assert.deepEqual(parseIdmap("uids=0-1002-3", namespace).uids, [{ inside: 0, outside: 1002, size: 3 }]);
  assert.throws(() => parseIdmap("uids=@0-995-10", namespace), /not within the container's user namespace/);
});

test("parseIdmap: what says nothing is refused", () => {
  for (const text of ["", "uids", "uids=", "uids=1", "uids=1-2", "uids=0-0-0", "uids=0-0-1;uids=0-0-1", "pids=0-0-1"]) {
    assert.throws(
      () => parseIdmap(text, undefined),
      (error) => isFault(error, "invalid") && error.message.startsWith("invalid idmap:"),
      text,
    );
  }
  assert.throws(() => parseIdmap("uids=4294967295-0-1", undefined), /invalid idmap/);
});

test("isSystemPath: what the machine lives by is not given away; people's folders are", () => {
  const closed = [
    "/",
    "/etc",
    "/etc/cron.d",
    "/usr",
    "/usr/bin/x",
    "/usr/local",
    "/home",
    "/var/lib",
    "/proc/1",
    "/tmp",
  ];
  const open = ["/srv/data", "/home/ana", "/data", "/tmp/x", "/usr/local/share", "/var/lib/app", "/root/project"];
  assert.deepEqual(
    closed.filter((path) => !isSystemPath(path)),
    [],
  );
  assert.deepEqual(open.filter(isSystemPath), []);
});
