import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defaultPool } from "../config/id-mapping.ts";
import { autoPool, type IdFiles, remapMapping } from "./remap.ts";

/** Files of a machine's own, with those texts. */
async function filesOf(texts: Partial<Record<keyof IdFiles, string>>) {
  const folder = await mkdtemp(join(tmpdir(), "slipway-remap-"));
  const names = ["passwd", "group", "subuid", "subgid"] as const;
  for (const name of names) await writeFile(join(folder, name), texts[name] ?? "");
  const files = Object.fromEntries(names.map((name) => [name, join(folder, name)])) as unknown as IdFiles;
  return { files, [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true }) };
}

const passwd = "root:x:0:0::/root:/bin/sh\nana:x:1000:1001::/home/ana:/bin/sh\n";

test("remapMapping: user, id, and group, by name or number in subuid", async () => {
  await using machine = await filesOf({
    passwd,
    group: "staff:x:50:\n",
    subuid: "ana:100000:65536\nana:400000:10\n",
    subgid: "1000:200000:65536\nstaff:300000:65536\n",
  });
  const uids = [
    { inside: 0, outside: 100_000, size: 65_536 },
    { inside: 65_536, outside: 400_000, size: 10 },
  ];
  const expected = { uids, gids: [{ inside: 0, outside: 200_000, size: 65_536 }] };
  assert.deepEqual(await remapMapping("ana", machine.files), expected);
  assert.deepEqual(await remapMapping("1000", machine.files), expected);
  const withGroup = { uids, gids: [{ inside: 0, outside: 300_000, size: 65_536 }] };
  assert.deepEqual(await remapMapping("ana:staff", machine.files), withGroup);
  assert.deepEqual(await remapMapping("1000:50", machine.files), withGroup);
});

test("remapMapping: whoever is not there, or has no ids, is named", async () => {
  await using machine = await filesOf({ passwd });
  await assert.rejects(remapMapping("bob", machine.files), {
    kind: "invalid",
    message: /the user "bob" does not exist$/,
  });
  await assert.rejects(remapMapping("ana", machine.files), { kind: "invalid", message: /no range of ids for ana$/ });
});

test("remapMapping: default enters a range once, behind all others", async () => {
  await using machine = await filesOf({ passwd, subuid: "ana:100000:65536", subgid: "ana:200000:65536\n" });
  const ids = [{ inside: 0, outside: 265_536, size: 65_536 }];
  assert.deepEqual(await remapMapping("default", machine.files), { uids: ids, gids: ids });
  assert.deepEqual(await remapMapping("default", machine.files), { uids: ids, gids: ids });
  assert.equal(await readFile(machine.files.subuid, "utf8"), "ana:100000:65536\ndockremap:265536:65536\n");
  assert.equal(await readFile(machine.files.subgid, "utf8"), "ana:200000:65536\ndockremap:265536:65536\n");
});

test("autoPool: what both files give to containers, else the upper half of all ids", async () => {
  await using without = await filesOf({ subuid: "containers:100000:10\n" });
  assert.deepEqual(await autoPool(without.files), defaultPool);
  await using machine = await filesOf({
    subuid: "containers:100000:500000\ncontainers:10:5\n",
    subgid: "containers:200000:900000\n",
  });
  assert.deepEqual(await autoPool(machine.files), { first: 200_000, size: 400_000 });
});
