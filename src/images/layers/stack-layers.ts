import type { Digest } from "#core/digest";
import { Fault } from "#core/fault";
import type { Descriptor } from "#core/oci";
import type { MountOp } from "#host";
import { layerBlobs } from "../layer-blobs.ts";
import type { Layers, LookedUp, StackLayer } from "../layers.ts";
import type { Lease } from "../leases.ts";
import { limitBytes, readFileInRoot } from "../root-file.ts";
import { addLayer } from "./add.ts";
import { assemble } from "./assemble.ts";
import { BoundedMemory } from "./bounded-memory.ts";
import { lookInStack } from "./look.ts";
import type { LayerParts } from "./parts.ts";
import { readPlainly } from "./read-plainly.ts";
import { sealRoot } from "./seal.ts";
import { takeBlob } from "./take.ts";

/** Layers over the room's pieces; each method's work is in a file of its own. */
export class StackLayers implements Layers {
  readonly #parts: LayerParts;
  /** What was seen in stacks, by stack and path: they never change. */
  readonly #seen = new BoundedMemory<LookedUp | undefined>(4096);
  readonly #texts = new BoundedMemory<string | undefined>(64);

  constructor(parts: LayerParts) {
    this.#parts = parts;
  }

  lease(): Lease {
    return this.#parts.keeper.open("discard");
  }

  hold(owner: string, held: Parameters<Layers["hold"]>[1]): void {
    this.#parts.keeper.hold(owner, held);
  }

  async letGo(owners: readonly string[]): Promise<number> {
    return await this.#parts.keeper.letGo(owners);
  }

  async ofImage(id: Digest): Promise<readonly StackLayer[]> {
    const { catalog, content } = this.#parts;
    const image = catalog.image(id);
    if (image === undefined) throw new Fault("notFound", `No such image: ${id}`);
    const blobs = await layerBlobs(content, image.manifest);
    const diffIds = image.config.rootfs.diff_ids;
    return blobs.map((blob, index) => {
      const diffId = diffIds[index];
      if (diffId === undefined) throw new Error(`${id} has more layers than DiffIDs`);
      return { diffId, blob };
    });
  }

  has(stack: Digest): boolean {
    return this.#parts.catalog.hasWholeStack(stack);
  }

  sizeBytesOf(stack: Digest): number {
    return this.#parts.catalog.layer(stack)?.sizeBytes ?? 0;
  }

  async add(...given: Parameters<Layers["add"]>): ReturnType<Layers["add"]> {
    return await addLayer(this.#parts, ...given);
  }

  async put(below: Digest | undefined, layer: StackLayer, lease: Lease, signal: AbortSignal): Promise<Digest> {
    const { content, unpacker, verify } = this.#parts;
    if (below !== undefined) lease.protectLayer(below);
    lease.protect(layer.blob.digest);
    const { blob, diffId } = layer;
    const sizeBytes = content.sizeBytesOf(blob.digest);
    if (sizeBytes === undefined) throw new Fault("notFound", `content digest ${blob.digest}: not found`);
    if (sizeBytes !== blob.size) throw new Fault("invalid", `${blob.digest} has ${sizeBytes} bytes, not ${blob.size}`);
    const stack = await unpacker.unpack({ blob, diffId, parent: below, lasting: "unsynced" }, lease, signal);
    await verify(blob.digest, diffId);
    return stack;
  }

  async createRoot(below: Digest | undefined, name: string): Promise<void> {
    await this.#parts.roots.create({ topChain: below }, name);
  }

  async seal(...given: Parameters<Layers["seal"]>): ReturnType<Layers["seal"]> {
    return await sealRoot(this.#parts, ...given);
  }

  shownAt(stack: Digest | undefined, target: string): readonly MountOp[] {
    const { catalog, snapshots } = this.#parts;
    const folders = catalog.stack(stack).map(({ folder }) => folder);
    return snapshots.mountsAt(target, folders);
  }

  async look(stack: Digest | undefined, path: string): Promise<LookedUp | undefined> {
    const { shim } = this.#parts;
    return await this.#seen.of(keyOf(stack, path), async () => await lookInStack(shim, this.#shown(stack), path));
  }

  async readFile(stack: Digest | undefined, path: string): Promise<string | undefined> {
    const { catalog, shim, snapshots } = this.#parts;
    const read = async (): Promise<string | undefined> => {
      const folders = catalog.stack(stack).map(({ folder }) => snapshots.pathOf(folder));
      const plain = readPlainly(folders, path, limitBytes);
      return plain === undefined ? await readFileInRoot(shim, this.#shown(stack), path) : plain.text;
    };
    return await this.#texts.of(keyOf(stack, path), read, (text) => (text?.length ?? 0) <= 16_384);
  }

  async take(...given: Parameters<Layers["take"]>): Promise<void> {
    await takeBlob(this.#parts.content, ...given);
  }

  readBlob(digest: Digest): AsyncIterable<Uint8Array> {
    this.#parts.content.pathOf(digest); // refuses what is not here
    return this.#parts.content.stream(digest);
  }

  async putDocument(bytes: Uint8Array, mediaType: string, lease: Lease): Promise<Descriptor> {
    const { digest, sizeBytes } = await this.#parts.content.put(bytes, (digest) => lease.protect(digest));
    return { mediaType, digest, size: sizeBytes };
  }

  async assemble(...given: Parameters<Layers["assemble"]>): ReturnType<Layers["assemble"]> {
    return await assemble(this.#parts, ...given);
  }

  #shown(stack: Digest | undefined): { readonly target: string; readonly mounts: readonly MountOp[] } {
    const { mountPoint: target } = this.#parts;
    return { target, mounts: this.shownAt(stack, target) };
  }
}

function keyOf(stack: Digest | undefined, path: string): string {
  return `${stack ?? ""} ${path}`;
}
