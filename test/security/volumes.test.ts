import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { mustRun } from "#fixtures/program";

let daemon: TestDaemon;
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-hostile-volumes-"));
  await chmod(folder, 0o777);
  daemon = await startDaemon({ busybox: true });
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const docker = async (...args: string[]): Promise<string> => await said(daemon, ...args);
const dataOf = (volume: string): string => join(daemon.roots.dataRoot, "volumes", volume, "_data");

/** Imports an image that has what `fill` puts into a folder. */
async function imageOf(name: string, fill: (root: string) => Promise<void>): Promise<void> {
  const root = join(folder, name);
  await mkdir(root);
  await fill(root);
  await mustRun("tar", ["-C", root, "-cf", `${root}.tar`, "."]);
  await docker("import", `${root}.tar`, name);
}

test("copy-up: an image's symlinks lead within the image, wherever they point", async () => {
  await imageOf("links", async (root) => {
    await mkdir(join(root, "etc"));
    await writeFile(join(root, "etc/own"), "of the image");
    await symlink("/etc", join(root, "absolute"));
    await symlink("../../../../../../etc", join(root, "upwards"));
    await symlink(folder, join(root, "host"));
    await symlink("/proc/1/root/etc", join(root, "magic"));
    await symlink("loop", join(root, "loop"));
  });
  for (const [name, target] of Object.entries({ v1: "/absolute", v2: "/upwards", v3: "/host", v4: "/magic" })) {
    await docker("create", "--name", `of-${name}`, "-v", `${name}:${target}`, "links", "x");
    const names = await readdir(dataOf(name));
    assert.equal(names.includes("own"), name === "v1" || name === "v2", target);
    assert.ok(!names.includes("passwd") && !names.includes("canary"), target);
  }
  const words = "cannot mount a volume at /loop: the image's symlinks there lead nowhere";
  await refused(daemon, words, "create", "--name", "of-v5", "-v", "v5:/loop", "links", "x");
  assert.ok(!(await docker("volume", "ls", "-q")).includes("v5"));
});

test("copy-up: a container that swaps the volume's folders for symlinks meanwhile gets nothing written outside of it", async () => {
  const canary = join(folder, "canary");
  await mkdir(join(canary, "sub"), { recursive: true });
  await chmod(join(canary, "sub"), 0o777);
  await imageOf("many", async (root) => {
    await mkdir(join(root, "data/sub/sub"), { recursive: true });
    for (let index = 0; index < 300; index++) await writeFile(join(root, `data/sub/sub/f${index}`), "x");
  });
  for (let round = 0; round < 4; round++) {
    const volume = `swapped${round}`;
    // It empties the volume, so that the copy begins, and swaps as soon as something comes.
    const script = `while :; do
      if [ -e /v/sub ]; then
        mv /v/sub /v/old$n 2>/dev/null && ln -s ${canary} /v/sub 2>/dev/null; mv /v/old$n/sub /v/away 2>/dev/null && ln -s ${canary}/sub /v/old$n/sub
        rm -rf /v/sub; mv /v/old$n /v/sub 2>/dev/null
      fi; n=$((n + 1)); done`;
    await docker("run", "-d", "--name", `attacker${round}`, "-v", `${volume}:/v`, "busybox", "sh", "-c", script);
    await daemon.docker("create", "--name", `victim${round}`, "-v", `${volume}:/data`, "many", "x");
    await docker("rm", "-f", `attacker${round}`);
  }
  assert.deepEqual(await readdir(canary, { recursive: true }), ["sub"]);
});

test("U: a container that swaps folders for symlinks meanwhile gets nothing outside of the volume given away", async () => {
  const canary = join(folder, "owned");
  await mkdir(canary);
  for (let index = 0; index < 50; index++) await writeFile(join(canary, `f${index}`), "");
  const script = `mkdir /v/a; for i in $(seq 200); do mkdir -p /v/a/d$i; done
    touch /v/ready; while :; do mv /v/a /v/b; ln -s ${canary} /v/a; rm /v/a; mv /v/b /v/a; done`;
  await docker("run", "-d", "--name", "swapper", "-v", "chowned:/v", "busybox", "sh", "-c", script);
  for (let tries = 0; tries < 100; tries++) {
    if ((await readdir(dataOf("chowned"))).includes("ready")) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  for (let round = 0; round < 5; round++) {
    await daemon.docker("run", "--rm", "-u", "1234", "--network", "none", "-v", "chowned:/v:U", "busybox", "true");
  }
  await docker("rm", "-f", "swapper");
  const owners = await mustRun("find", [canary, "-printf", "%U\\n"]);
  assert.deepEqual(new Set(owners.trim().split("\n")), new Set(["0"]));
});

test("a container's volume folder cannot be entered by other users of the host", async () => {
  await docker("run", "--rm", "-v", "private:/p", "busybox", "sh", "-c", "echo secret >/p/f; chmod 644 /p/f");
  assert.equal(await readFile(join(dataOf("private"), "f"), "utf8"), "secret\n");
  const other = await mustRun("sh", [
    "-c",
    'setpriv --reuid 65534 --regid 65534 --clear-groups cat "$1" 2>&1 || true',
    "sh",
    join(dataOf("private"), "f"),
  ]);
  assert.match(other, /Permission denied/);
});
