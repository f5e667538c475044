import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Digest } from "#core/digest";
import type { MountOp } from "#host";
import { bytesOf, dockerArchive, loadBytes, openTestRoom, tarOf, type TestRoom } from "../../images/images.fixture.ts";
import { file, folder } from "./copy.fixture.ts";
import { type CopyParts, type CopyStep, copyStep, type Layered, workdirStep } from "./copy.ts";

/** Layers as a room of images takes them in: each stack is an image and a container of it. */
class Bed implements AsyncDisposable {
  readonly room: TestRoom;
  readonly #stacks = new Map<Digest | undefined, Buffer[]>([[undefined, []]]);
  readonly #containers = new Map<Digest, string>();

  constructor(room: TestRoom) {
    this.room = room;
  }

  get parts(): CopyParts {
    const mountPoint = join(this.room.folder, "layers", ".mount");
    return {
      shim: this.room.shim,
      mountPoint,
      layers: {
        add: async (below, tar) => await this.add(below, await bytesOf(tar)),
        readFile: async (stack, path) =>
          stack === undefined ? undefined : await this.room.images.readRootFile(this.containerOf(stack), path),
        shownAt: (stack, target) =>
          stack === undefined ? [] : this.room.images.openRoot(this.containerOf(stack)).shownAt(target).map(ownLayers),
      },
    };
  }

  async add(below: Digest | undefined, tar: Buffer): Promise<Layered> {
    const layers = [...(this.#stacks.get(below) ?? []), tar];
    const lines = await loadBytes(this.room.images, await dockerArchive([{ layers }]));
    const stack = lines.at(-1)?.stream?.replace("Loaded image ID: ", "").trim() as Digest;
    const container = `c${this.#containers.size}`;
    this.#stacks.set(stack, layers);
    this.#containers.set(stack, container);
    await this.room.images.createRoot(stack, container);
    return { stack, layer: { diffId: stack, blob: { mediaType: "", digest: stack, size: tar.length } } };
  }

  async copy(
    below: Digest | undefined,
    step: Partial<CopyStep> & Pick<CopyStep, "sources" | "target">,
  ): Promise<Digest> {
    const whole = { below, link: false, timeNs: 9_000_000_000n, ...step };
    const done = await copyStep(this.parts, whole, noLease, AbortSignal.timeout(60_000));
    assert.ok(done !== undefined);
    return done.stack;
  }

  async look(stack: Digest): Promise<string[]> {
    const find = String.raw`find . -mindepth 1 -printf '%y %m %U:%G %p %l\n' | sort -k4`;
    const lines = await this.room.inRoot(this.containerOf(stack), find);
    return lines
      .trimEnd()
      .split("\n")
      .map((line) => line.trimEnd());
  }

  containerOf(stack: Digest): string {
    return this.#containers.get(stack) ?? assert.fail(`no stack ${stack}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.room[Symbol.asyncDispose]();
  }
}

const noLease = {
  protect: () => undefined,
  protectLayer: () => undefined,
  [Symbol.asyncDispose]: async () => await Promise.resolve(),
};

/** The image's own layers, without what every container has. */
function ownLayers(op: MountOp): MountOp {
  return op.op === "overlay" && op.lowers.length > 1 ? { ...op, lowers: op.lowers.slice(0, -1) } : op;
}

async function bedWithBase(): Promise<{ readonly bed: Bed; readonly base: Digest }> {
  const bed = new Bed(await openTestRoom());
  const tar = await tarOf([
    { path: "etc/", mode: 0o755 },
    { path: "etc/passwd", data: "app:x:1000:1001::/:/bin/sh\n" },
    { path: "usr/", mode: 0o711, uid: 3 },
    { path: "usr/lib/", mode: 0o750 },
    { path: "usr/lib/old", data: "old" },
    { path: "lib", type: "symlink", linkPath: "usr/lib" },
  ]);
  return { bed, base: (await bed.add(undefined, tar)).stack };
}

test("copyStep: the layer on its base is what a program in the root would have made", async () => {
  const { bed, base } = await bedWithBase();
  await using _ = bed;
  const item = folder("src", { path: "sub/", mode: 0o700 }, { path: "sub/new", data: "new", mode: 0o600 });
  const stack = await bed.copy(base, { sources: [{ item, unpack: false }], target: "/lib", chown: "app" });
  assert.deepEqual(await bed.look(stack), [
    "d 755 0:0 ./etc",
    "f 644 0:0 ./etc/passwd",
    "l 777 0:0 ./lib usr/lib",
    "d 711 3:0 ./usr",
    "d 750 0:0 ./usr/lib",
    "f 644 0:0 ./usr/lib/old",
    "d 700 1000:1001 ./usr/lib/sub",
    "f 600 1000:1001 ./usr/lib/sub/new",
  ]);
});

test("copyStep: ADD of an archive follows the base's links; COPY --link knows nothing of them", async () => {
  const { bed, base } = await bedWithBase();
  await using _ = bed;
  const archive = file("a.tar", await tarOf([{ path: "lib/" }, { path: "lib/x", data: "x", uid: 5 }]));
  const added = await bed.copy(base, { sources: [{ item: archive, unpack: true }], target: "/" });
  assert.ok((await bed.look(added)).includes("f 644 5:0 ./usr/lib/x"));
  assert.ok((await bed.look(added)).includes("l 777 0:0 ./lib usr/lib"));
  const linked = await bed.copy(base, {
    sources: [{ item: file("y", "y"), unpack: false }],
    target: "/lib/",
    link: true,
    chown: "app",
  });
  assert.deepEqual(await bed.look(linked), ["d 755 1000:1001 ./lib", "f 644 1000:1001 ./lib/y"]);
});

test("copyStep: nothing chosen is no layer; bad modes and owners are told", async () => {
  const { bed, base } = await bedWithBase();
  await using _ = bed;
  const step = { below: base, sources: [], target: "/x", link: false, timeNs: 0n };
  const signal = AbortSignal.timeout(60_000);
  assert.equal(await copyStep(bed.parts, step, noLease, signal), undefined);
  const sources = [{ item: file("a", "A"), unpack: false }];
  await assert.rejects(copyStep(bed.parts, { ...step, sources, chown: "who" }, noLease, signal), { kind: "invalid" });
  await assert.rejects(copyStep(bed.parts, { ...step, sources, chmod: "9" }, noLease, signal), { kind: "invalid" });
});

test("workdirStep: makes the directory for its owner, once", async () => {
  const { bed, base } = await bedWithBase();
  await using _ = bed;
  const step = { path: "/lib/a/b", user: "app", timeNs: 9_000_000_000n };
  const made = await workdirStep(bed.parts, { ...step, below: base }, noLease, AbortSignal.timeout(60_000));
  assert.ok(made !== undefined);
  const lines = await bed.look(made.stack);
  assert.ok(lines.includes("d 755 1000:1001 ./usr/lib/a"));
  assert.ok(lines.includes("d 755 1000:1001 ./usr/lib/a/b"));
  const again = await workdirStep(bed.parts, { ...step, below: made.stack }, noLease, AbortSignal.timeout(60_000));
  assert.equal(again, undefined);
});
