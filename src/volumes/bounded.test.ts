import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { systemClock } from "#core/clock";
import { makeDisk } from "#fixtures/disks";
import { mustRun } from "#fixtures/program";
import { type OpenDatabase, openDatabase } from "../host/database.ts";
import { openTestBed, type TestBed } from "../host/shim/test-bed.ts";
import type { MountOp } from "#host";
import { diskAt } from "./disk.ts";
import { openVolumes } from "./open.ts";
import type { Volumes, VolumeRequest } from "./volumes.ts";

let bed: TestBed;
let base: string;
before(async () => {
  bed = await openTestBed();
  base = await mkdtemp(join(tmpdir(), "slipway-bounded-"));
});
after(async () => {
  await bed[Symbol.asyncDispose]();
  await rm(base, { recursive: true, force: true });
});

let folder: string;
let database: OpenDatabase;
let volumes: Volumes;
beforeEach(async () => {
  folder = await mkdtemp(join(base, "room-"));
  database = openDatabase(join(folder, "db"));
  volumes = await open();
});

async function open(dataRoot = folder): Promise<Volumes> {
  return await openVolumes({
    database,
    shim: bed.shim,
    paths: { dataRoot, execRoot: join(folder, "exec"), instance: "test" },
    clock: systemClock,
    events: { emit: () => undefined },
    pluginFolders: [join(folder, "plugins")],
  });
}

const signal = new AbortController().signal;
const sizeBytes = 16 * 2 ** 20;
const asked = (name: string): VolumeRequest => ({ name, driver: "", labels: {}, options: { size: "16m" } });
const home = (name: string): string => join(folder, "volumes", name);

/** Runs a script in a volume's data. */
async function inVolume(name: string, script: string): Promise<string> {
  const source = await volumes.mount(name, { holder: "test", target: "/", readOnly: false, propagation: "" });
  assert.ok(source.kind === "disk");
  const { op, path } = diskAt(source, join(home(name), "_data"));
  const { stdout } = await bed.shim.runToEnd({ argv: ["sh", "-c", `${script} 2>&1`], mounts: [op], cwd: path });
  await volumes.unmount("test");
  return stdout.toString();
}

async function usedBy(name: string): Promise<number | undefined> {
  return (await volumes.usage()).find(({ volume }) => volume.name === name)?.sizeBytes;
}

test("create: with a size a volume takes so much and no more; it is shown, measured, and goes whole", async () => {
  const { options, status, mountpoint } = await volumes.create(asked("full"));
  const image = join(home("full"), "disk.img");
  assert.deepEqual([options, status, mountpoint], [{ size: "16m" }, { Disk: image }, join(home("full"), "_data")]);
  assert.deepEqual((await readdir(home("full"))).toSorted(), ["_data", "disk.img"]);
  const empty = statSync(image);
  assert.equal(empty.size, sizeBytes);
  assert.ok(empty.blocks * 512 < sizeBytes / 8, `${empty.blocks} blocks of an empty disk`);
  assert.equal(await inVolume("full", "stat -c '%a %u' .; ls -A"), "755 0\n");
  assert.equal(await usedBy("full"), 0);
  assert.match(await inVolume("full", "dd if=/dev/zero of=big bs=1M count=32"), /No space left on device/);
  const written = await usedBy("full");
  assert.ok(written !== undefined && written > sizeBytes * 0.7 && written < sizeBytes, `${written} bytes fitted in`);
  assert.deepEqual(await readdir(mountpoint), [], "nothing on the host's mount table");
  const pruned = await volumes.prune({ all: true, accepts: () => true });
  assert.deepEqual(pruned, { removed: ["full"], reclaimedBytes: written });
  assert.equal(existsSync(home("full")), false);
  assert.equal(devices(), "");
});

test("create: a disk that cannot be made leaves nothing behind", async () => {
  await mkdir(join(folder, "volumes/.new-odd/disk.img"), { recursive: true });
  await assert.rejects(volumes.create(asked("odd")), /EISDIR/);
  assert.deepEqual(await readdir(join(folder, "volumes")), []);
  await assert.rejects(volumes.find("odd"), { kind: "notFound" });
});

test("create: a size that the file system below has no files for, or no room to note down, is told and leaves nothing", async () => {
  await using disk = await makeDisk("ext4", 600 * 2 ** 20); // large enough for blocks of 4 KiB
  const create = async (dataRoot: string, size: string): Promise<unknown> =>
    await (await open(dataRoot)).create({ ...asked("huge"), options: { size } });
  await assert.rejects(create(disk.path, "16t"), {
    kind: "invalid",
    message: `create huge: invalid size: the file system of the data root has no files of ${16 * 2 ** 40} bytes`,
    remedy: /on ext4 files end just below 16t/,
  });
  assert.deepEqual(await readdir(join(disk.path, "volumes")), []);
  const memory = join(folder, "memory");
  await mkdir(memory);
  await mustRun("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", memory]);
  try {
    await assert.rejects(create(memory, "1t"), { kind: "exhausted", remedy: /or choose a smaller size/ });
    assert.deepEqual(await readdir(join(memory, "volumes")), []);
  } finally {
    await mustRun("umount", [memory]);
  }
});

test("fill: an image that has more than a bounded volume holds leaves it empty, says so, and what fits comes the next time", async () => {
  await volumes.create(asked("small"));
  const image = join(folder, "image");
  await mkdir(join(image, "data/sub"), { recursive: true });
  for (let index = 0; index < 24; index++) await writeFile(join(image, `data/sub/f${index}`), Buffer.alloc(2 ** 20, 1));
  const shownAt = (target: string): readonly MountOp[] => [{ op: "bind", source: image, target, flags: ["ro"] }];
  const fill = async (): Promise<void> => await volumes.fill("small", { shownAt, path: "/data" }, signal);
  const use = { holder: "other", target: "/", readOnly: false, propagation: "" };
  for (const user of ["nobody", "somebody"]) {
    if (user === "somebody") await volumes.mount("small", use);
    await assert.rejects(fill(), { kind: "exhausted", remedy: /Make the volume anew with a larger size/ });
    assert.equal(await inVolume("small", "find . -mindepth 1; stat -c %a ."), "755\n", user);
    assert.deepEqual((await readdir(home("small"))).toSorted(), ["_data", "disk.img"]);
  }
  await volumes.unmount("other");
  for (let index = 4; index < 24; index++) await rm(join(image, `data/sub/f${index}`));
  await fill();
  assert.equal(await inVolume("small", "ls sub | wc -l"), "4\n");
  assert.deepEqual((await readdir(home("small"))).toSorted(), ["_data", "disk.img"]);
  assert.equal(devices(), "");
});

test("openVolumes: bounded volumes without a record are taken up with their size, unless they are empty; drafts go, copies are finished", async () => {
  for (const name of ["kept", "removed"]) await volumes.create(asked(name));
  await cp(home("kept"), home("empty"), { recursive: true });
  await cp(home("kept"), home(".new-draft"), { recursive: true });
  await inVolume("kept", "echo text >file");
  await cp(home("kept"), home("found"), { recursive: true });
  await mkdir(join(home("kept"), "ready"));
  await writeFile(join(home("kept"), "ready/copied"), "");
  await cp(home("removed"), home(".gone-removed"), { recursive: true });
  await rm(home("removed"), { recursive: true });
  volumes = await open();
  assert.deepEqual((await readdir(join(folder, "volumes"))).toSorted(), ["found", "kept"]);
  assert.deepEqual(
    (await volumes.list()).volumes.map(({ name, options }) => [name, options]),
    [
      ["found", { size: String(sizeBytes) }],
      ["kept", { size: "16m" }],
    ],
  );
  assert.equal(await inVolume("found", "cat file; ls"), "text\nfile\n");
  assert.equal(await inVolume("kept", "cat file; ls"), "text\ncopied\nfile\n");
  assert.equal(devices(), "");
});

/** The loop devices of these volumes. */
function devices(): string {
  const { stdout } = spawnSync("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"], { encoding: "utf8" });
  return stdout
    .split("\n")
    .filter((line) => line.includes(folder))
    .join("\n");
}
