import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "#core/clock";
import { type Digest, digestOf, hexOf } from "#core/digest";
import type { Event } from "#core/event";
import { tarHeader, type TarHeader } from "#core/tar";
import { writeTar } from "#core/tar-write";
import type { MountOp, Shim } from "#host";
import { openDatabase } from "../host/database.ts";
import { connectShim, stopZygote } from "../host/shim/shim.ts";
import type { Images, Progress, RootFilesystem } from "./images.ts";
import { openImages } from "./open.ts";

/** A room of its own in a folder of its own, with a real shim. */
export interface TestRoom extends AsyncDisposable {
  readonly images: Images;
  readonly shim: Shim;
  readonly folder: string;
  readonly events: Omit<Event, "timeNs">[];
  /** Closes the database and opens the room anew, as a new daemon would. */
  reopen(bootId?: string): Promise<Images>;
  /** Runs a shell command in the merged root of a container, read-only; answers its output. */
  inRoot(container: string, command: string): Promise<string>;
}

/** Opens a room for one test; in a folder that an earlier room has used, when one is given. */
export async function openTestRoom(
  given: { readonly embeddedArchive?: string; readonly folder?: string; readonly bootId?: string } = {},
): Promise<TestRoom> {
  const { folder = mkdtempSync(join(tmpdir(), "slipway-images-")), ...options } = given;
  const repository = join(import.meta.dirname, "../..");
  execFileSync("sh", [join(repository, "shim/build.sh")]);
  mkdirSync(folder, { recursive: true });
  const socketPath = join(folder, "run", "shim.sock");
  const shim = await connectShim({ socketPath, shimPath: join(repository, "build/shim/slipway-shim") });
  const events: Omit<Event, "timeNs">[] = [];
  let database = openDatabase(join(folder, "slipway.db"));
  const open = async (boot = "boot-1"): Promise<Images> =>
    await openImages({
      bootId: boot,
      database,
      shim,
      paths: { dataRoot: folder, execRoot: join(folder, "run"), instance: "slipway-test" },
      clock: systemClock,
      events: { emit: (event) => void events.push(event) },
      insecureRegistries: [],
      registryMirrors: [],
      maxConcurrentDownloads: 3,
      ...options,
    });
  const images = await open(given.bootId);
  return {
    images,
    shim,
    folder,
    events,
    async reopen(bootId) {
      database.close();
      database = openDatabase(join(folder, "slipway.db"));
      return await open(bootId);
    },
    async inRoot(container, command) {
      const target = join(folder, "layers", ".mount");
      const mounts = images.openRoot(container).mountsAt(target).map(withoutMountPoints);
      const ran = await shim.runToEnd({ argv: ["sh", "-c", command], cwd: target, mounts, env: { LC_ALL: "C" } });
      return Buffer.from(ran.stdout).toString("latin1") + ran.stderr;
    },
    async [Symbol.asyncDispose]() {
      await shim[Symbol.asyncDispose]();
      await stopZygote(socketPath);
      database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The writable folder of a root without a bound. */
export function upperOf({ driver }: RootFilesystem): string {
  return driver.data["UpperDir"] ?? "";
}

/** The image's own layers and the container's: tests compare whole trees. */
function withoutMountPoints(op: MountOp): MountOp {
  return op.op === "overlay" && op.lowers.length > 1 ? { ...op, lowers: op.lowers.slice(0, -1) } : op;
}

/** An entry of an archive made by a test: a header with what is given, and data. */
export type TestEntry = Partial<TarHeader> & Pick<TarHeader, "path"> & { readonly data?: string | Uint8Array };

/** A tar of those entries; what has data is a file, what ends in a slash a directory. */
export async function tarOf(entries: readonly TestEntry[]): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const whole = entries.map(({ data = "", ...header }) => {
    const bytes = Buffer.from(data);
    const type = header.type ?? (header.path.endsWith("/") ? "directory" : "file");
    return { header: tarHeader({ ...header, type, sizeBytes: type === "file" ? bytes.length : 0 }), data: bytes };
  });
  for await (const piece of writeTar(iterate(whole))) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** What a docker-archive is made from. */
export interface TestImage {
  readonly tags?: readonly string[];
  readonly layers: readonly Uint8Array[];
  /** What the config claims; the layers' true DiffIDs by default. */
  readonly diffIds?: readonly Digest[];
  readonly config?: object;
}

/** A docker-archive as `docker save` before 25 wrote it: `<id>/layer.tar`, `<hex>.json`, manifest.json. */
export async function dockerArchive(images: readonly TestImage[]): Promise<Buffer> {
  const entries: TestEntry[] = [];
  const manifest: object[] = [];
  for (const [number, image] of images.entries()) {
    const config = JSON.stringify(configOf(image));
    const paths = image.layers.map((_, index) => `${number}-${index}/layer.tar`);
    for (const [index, data] of image.layers.entries()) entries.push({ path: paths[index] ?? "", data });
    entries.push({ path: `${hexOf(digestOf(config))}.json`, data: config });
    manifest.push({ Config: `${hexOf(digestOf(config))}.json`, RepoTags: image.tags ?? null, Layers: paths });
  }
  return await tarOf([...entries, { path: "manifest.json", data: JSON.stringify(manifest) }]);
}

/** The config document of a test's image. */
export function configOf(image: TestImage): object {
  return {
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    created: "2024-05-06T07:08:09.123456789Z",
    config: { Cmd: ["/bin/sh"], ...image.config },
    rootfs: { type: "layers", diff_ids: image.diffIds ?? image.layers.map((layer) => digestOf(layer)) },
    history: image.layers.map((_, index) => ({ created: "2024-05-06T07:08:09Z", created_by: `step ${index}` })),
  };
}

/** Loads bytes; answers the lines of progress. */
export async function loadBytes(
  images: Images,
  bytes: Uint8Array,
  signal = new AbortController().signal,
): Promise<Progress[]> {
  const lines: Progress[] = [];
  for await (const line of images.load(piecesOf(bytes), { quiet: false }, signal)) lines.push(line);
  return lines;
}

/** The bytes in pieces of 64 KiB. */
export async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

/** All of a stream. */
export async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function* iterate<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items;
}
