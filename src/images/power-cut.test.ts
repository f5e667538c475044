import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOf } from "#core/digest";
import { mediaType } from "#core/oci";
import { makeDisk, mountDisk } from "#fixtures/disks";
import { type FaultyRegistry, startFaultyRegistry } from "#fixtures/faulty-registry";
import { mustRun } from "#fixtures/program";
import { stopZygote } from "../host/shim/shim.ts";
import { configOf, openTestRoom, type TestRoom } from "./images.fixture.ts";
import { layerOf } from "./power-cut.fixture.ts";

const cuts = Number(process.env["SLIPWAY_POWER_CUTS"] ?? "5");
const signal = new AbortController().signal;

/** The worker at its work, and what it has said. */
class Worker implements AsyncDisposable {
  readonly #folder: string;
  readonly #process: ReturnType<typeof spawn>;
  said = "";

  constructor(folder: string, registry: string, rounds: number) {
    const program = join(import.meta.dirname, "power-cut.fixture.ts");
    this.#folder = folder;
    this.#process = spawn(process.execPath, [program, folder, registry, String(rounds)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#process.stdout?.on("data", (bytes: Buffer) => (this.said += bytes.toString()));
  }

  async reaches(line: string): Promise<void> {
    while (!this.said.includes(`${line}\n`) && this.isWorking) await sleep(20);
  }

  get isWorking(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  async kill(): Promise<void> {
    const ended = this.isWorking ? once(this.#process, "close") : undefined;
    this.#process.kill("SIGKILL");
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await stopZygote(join(this.#folder, "run/shim.sock"));
  }
}

/** A registry with so many images. */
async function startApps(rounds: number): Promise<FaultyRegistry> {
  const registry = await startFaultyRegistry();
  for (let round = 0; round < rounds; round++) await putApp(registry, round);
  return registry;
}

/**
 * The store lies on ext4 in a file on xfs, which copies a file at one moment of its life (reflink): what the store's disk
 * holds then is what a power cut leaves. Not in the copy is what the kernel had yet to write.
 */
test("a power cut at any moment of load, pull, import, commit, build, tag, rmi, gc: what was answered is there, the rest whole or gone", async () => {
  const rounds = 60 + 20 * cuts; // more than the worker comes to
  await using registry = await startApps(rounds);
  await using outer = await makeDisk("xfs", 1_500_000_000);
  await using disk = await makeDisk("ext4", 500_000_000, { folder: outer.path });
  await using worker = new Worker(join(disk.path, "room"), registry.address, rounds);
  await worker.reaches("done add commit:0");
  for (let cut = 0; cut < cuts; cut++) {
    await sleep(100 + Math.random() * 400);
    assert.ok(worker.isWorking, "the worker has failed");
    const before = worker.said;
    const image = join(outer.path, "cut.img");
    await mustRun("cp", ["--reflink=always", disk.image, image]);
    await sleep(20); // what the worker said of what it had begun by then
    const after = worker.said;
    await using left = await mountDisk(image);
    await using room = await openTestRoom({ folder: join(left.path, "room"), bootId: "after the cut" });
    await assertSound(room, before, after, registry.address);
  }
});

test("kill -9 at any moment of the same work: the same", async () => {
  await using registry = await startApps(40);
  for (let kill = 0; kill < Math.ceil(cuts / 2); kill++) {
    const folder = mkdtempSync(join(tmpdir(), "slipway-kill-"));
    await using worker = new Worker(folder, registry.address, 40);
    await worker.reaches("done add load:1");
    await sleep(Math.random() * 500);
    await worker.kill();
    await using room = await openTestRoom({ folder });
    await assertSound(room, worker.said, worker.said, registry.address);
  }
});

/** What was answered before is there, what was removed is gone, all that is there is whole, and one collection leaves no trace of the rest. */
async function assertSound(room: TestRoom, before: string, after: string, registry: string): Promise<void> {
  const { images } = room;
  for await (const { kind, text } of images.check({ repair: false, isContainer: () => true }, signal))
    assert.match(kind, /^stray (blob|layer)$/, text);
  const found = new Set(images.list({ all: true, filters: {} }).flatMap(({ repoTags }) => repoTags));
  for (const name of namesIn(after)) {
    const has = (words: string, lines: string): boolean => lines.includes(`${words} ${name}\n`);
    if (has("done remove", before)) assert.ok(!found.has(name), `${name} was removed`);
    else if (has("done add", before) && !has("begin remove", after)) assert.ok(found.has(name), `${name} was there`);
  }
  for (const name of found) assert.ok(after.includes(`begin add ${name}\n`), `${name} was never asked for`);
  // Whoever had time has been written; the newest are those that a cut could hurt.
  const newest = [...namesIn(after)].filter((name) => found.has(name)).slice(-12);
  for (const name of newest) {
    const container = `looks-at-${name.replaceAll(/[^\w]/g, "-")}`;
    await images.createRoot(images.find(name).id, container);
    const shown = await room.inRoot(container, "cat who; sha256sum <data");
    const [word = "", round = ""] = name.replace(`${registry}/team/app`, "app").split(":");
    const own = word === "tag" ? `load:${round}` : `${word}:${round}`;
    const below = word === "commit" || word === "tag" ? `load:${round}` : own;
    const sum = createHash("sha256").update(`${below}\n`.repeat(20_000)).digest("hex");
    assert.equal(shown, `${own}${sum}  -\n`, name);
  }
  await images.collect(new Set());
  for await (const { text } of images.check({ repair: false, isContainer: () => false }, signal)) assert.fail(text);
}

function namesIn(lines: string): Set<string> {
  return new Set([...lines.matchAll(/^begin add (.*)$/gm)].map(([, name = ""]) => name));
}

async function putApp(registry: FaultyRegistry, round: number): Promise<void> {
  const layer = await layerOf(`app:${round}`);
  const config = JSON.stringify(configOf({ layers: [layer] }));
  const document = {
    schemaVersion: 2,
    mediaType: mediaType.ociManifest,
    config: { mediaType: mediaType.ociConfig, digest: registry.blob(config), size: config.length },
    layers: [{ mediaType: mediaType.ociLayer, digest: registry.blob(layer), size: layer.length }],
  };
  assert.equal(document.layers[0]?.digest, digestOf(layer));
  registry.manifest(document, mediaType.ociManifest, String(round));
}
