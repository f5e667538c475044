import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { link, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "#core/clock";
import type { EmittedEvent } from "#core/event";
import { isFault } from "#core/fault";
import { databaseFaults } from "#fixtures/full-database";
import { type OpenDatabase, openDatabase } from "../host/database.ts";
import { openTestBed, type TestBed } from "../host/shim/test-bed.ts";
import { openVolumes } from "./open.ts";
import type { Volumes, VolumeRequest } from "./volumes.ts";

let bed: TestBed;
let folder: string;
before(async () => {
  bed = await openTestBed();
  folder = await mkdtemp(join(tmpdir(), "slipway-volumes-room-"));
});
after(async () => {
  await bed[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

interface Opened {
  readonly volumes: Volumes;
  readonly database: OpenDatabase;
  readonly at: string;
  readonly logged: string[];
  readonly events: EmittedEvent[];
}

/** The room on folders of its own, or on those of an earlier one. */
async function open(earlier?: Opened): Promise<Opened> {
  const at = earlier?.at ?? (await mkdtemp(join(folder, "room-")));
  const database = earlier?.database ?? openDatabase(join(at, "db"));
  const [logged, events]: [string[], EmittedEvent[]] = [[], []];
  const say = (text: string, facts?: object): void => void logged.push(`${text} ${JSON.stringify(facts)}`);
  const volumes = await openVolumes({
    database,
    shim: bed.shim,
    paths: { dataRoot: at, execRoot: join(at, "exec"), instance: "test" },
    clock: systemClock,
    events: { emit: (event) => void events.push(event) },
    log: { debug: say, info: say, warn: say, error: say },
    pluginFolders: [join(at, "plugins")],
  });
  return { volumes, database, at, logged, events };
}

const asked = (name: string): VolumeRequest => ({ name, driver: "", labels: {}, options: {} });

test("usage: apparent sizes, hard links once, folders not; holders are counted", async () => {
  const { volumes, at } = await open();
  const { mountpoint } = await volumes.create(asked("used"));
  assert.equal(mountpoint, join(at, "volumes/used/_data"));
  await mkdir(join(mountpoint, "sub"));
  await writeFile(join(mountpoint, "a"), "x".repeat(1000));
  await link(join(mountpoint, "a"), join(mountpoint, "sub/b"));
  await writeFile(join(mountpoint, "sub/odd\nname"), "y".repeat(10));
  await volumes.create({ ...asked("memory"), options: { type: "tmpfs", device: "tmpfs" } });
  volumes.hold("c1", ["used"]);
  volumes.hold("c2", ["used"]);
  const found = await volumes.usage();
  assert.deepEqual(
    found.map(({ volume, sizeBytes, holders }) => [volume.name, sizeBytes, holders]),
    [
      ["memory", -1, 0],
      ["used", 1010, 2],
    ],
  );
});

test("lease: a new volume goes with it unless somebody holds it, asks for it by itself, or makes a container too", async () => {
  const { volumes } = await open();
  const names = async (): Promise<string[]> => (await volumes.list()).volumes.map(({ name }) => name);
  {
    await using lease = await volumes.lease(asked(""));
    assert.deepEqual((await volumes.prune({ all: true, accepts: () => true })).removed, [], "prune leaves it");
    assert.deepEqual(await names(), [lease.volume.name]);
  }
  assert.deepEqual(await names(), []);
  const first = await volumes.lease(asked("shared"));
  const second = await volumes.lease(asked("shared"));
  await first[Symbol.asyncDispose]();
  assert.deepEqual(await names(), ["shared"]);
  volumes.hold("c1", ["shared"]);
  await second[Symbol.asyncDispose]();
  assert.deepEqual(await names(), ["shared"]);
  const wanted = await volumes.lease(asked("wanted"));
  await volumes.create(asked("wanted"));
  await wanted[Symbol.asyncDispose]();
  assert.deepEqual(await names(), ["shared", "wanted"]);
  assert.throws(
    () => volumes.hold("c1", ["gone"]),
    (error) => isFault(error, "conflict"),
  );
});

test("openVolumes: leases, half removals and drafts of an earlier daemon go; folders that are gone are there again", async () => {
  const earlier = await open();
  const { volumes, at } = earlier;
  const home = (name: string): string => join(at, "volumes", name);
  await volumes.lease(asked("leased"));
  for (const name of ["kept", "half", "empty"]) await volumes.create(asked(name));
  volumes.hold("c1", ["kept"]);
  volumes.hold("gone", ["empty"]);
  await rm(home("empty"), { recursive: true });
  execFileSync("mv", [home("half"), home(".gone-half")]);
  await mkdir(home(".new-x/_data"), { recursive: true });
  await mkdir(join(home("kept"), "staging"));
  await mkdir(join(home("empty"), "ready"), { recursive: true });
  await mkdir(join(home("empty"), "_data"));
  await writeFile(join(home("empty"), "ready/f"), "copied");
  const later = await open(earlier);
  await later.volumes.reconcile(new Set(["c1"]), new Set());
  assert.deepEqual((await readdir(join(at, "volumes"))).toSorted(), ["empty", "kept"]);
  assert.deepEqual(await readdir(home("kept")), ["_data"]);
  assert.deepEqual([await readdir(home("empty")), await readdir(join(home("empty"), "_data"))], [["_data"], ["f"]]);
  assert.deepEqual(later.volumes.holdersOf("empty"), []);
  assert.deepEqual(later.logged, []);
});

test("openVolumes: a volume that makes trouble is told, and keeps no other one away", async () => {
  const earlier = await open();
  const stubborn = join(earlier.at, "volumes/.gone-stubborn");
  await earlier.volumes.create(asked("fine"));
  await mkdir(stubborn);
  await writeFile(join(stubborn, "f"), "");
  execFileSync("chattr", ["+i", join(stubborn, "f")]);
  try {
    const later = await open(earlier);
    assert.equal((await later.volumes.find("fine")).name, "fine");
    assert.match(later.logged.join("\n"), /cannot be made whole .*chattr -i|cannot be made whole .*cannot remove/);
    assert.ok(existsSync(stubborn));
  } finally {
    execFileSync("chattr", ["-i", join(stubborn, "f")]);
  }
});

test("remove, prune: where the database finds no room a volume stays with its data, which is said, and goes once there is", async () => {
  const { volumes, at } = await open();
  using faults = databaseFaults();
  for (const removal of [
    async () => await volumes.remove("stays", { force: true }),
    async () => await volumes.prune({ all: true, accepts: () => true }),
  ]) {
    const { mountpoint } = await volumes.create(asked("stays"));
    await writeFile(join(mountpoint, "data"), "");
    faults.failAll();
    await assert.rejects(removal(), { kind: "exhausted", message: "no space left on device" });
    assert.ok(faults.disarm());
    assert.deepEqual(await readdir(join(at, "volumes")), ["stays"]);
    assert.deepEqual(await readdir(mountpoint), ["data"]);
    await removal();
    assert.deepEqual(await readdir(join(at, "volumes")), []);
    await assert.rejects(volumes.find("stays"), { kind: "notFound" });
  }
});
