import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { watchFile } from "./watch-file.ts";

test("watchFile: tells of a write, a rename over it and a change behind a symlink; of nothing else, and of nothing when closed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-watch-"));
  await using _ = { [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true }) };
  const [path, target] = [join(folder, "etc/resolv.conf"), join(folder, "run/resolv.conf")];
  await Promise.all([mkdir(join(folder, "etc")), mkdir(join(folder, "run"))]);
  await writeFile(target, "one");
  await symlink(target, path);
  let calls = 0;
  const seen = (): number => calls;
  const watch = watchFile(path, () => (calls += 1));
  const calledBy = async (work: () => Promise<void>): Promise<boolean> => {
    calls = 0;
    await work();
    for (let tries = 0; tries < 100 && seen() === 0; tries += 1) await sleep(20);
    return calls > 0;
  };
  assert.ok(await calledBy(async () => await writeFile(target, "two")), "behind the symlink");
  await writeFile(join(folder, "etc/new"), "three");
  assert.ok(await calledBy(async () => await rename(join(folder, "etc/new"), path)), "a rename over it");
  assert.ok(await calledBy(async () => await writeFile(path, "four")), "in place");
  calls = 0;
  await writeFile(join(folder, "etc/hosts"), "other");
  await sleep(400);
  assert.equal(calls, 0, "another file");
  watch[Symbol.dispose]();
  await writeFile(path, "five");
  await sleep(400);
  assert.equal(calls, 0, "closed");
});
