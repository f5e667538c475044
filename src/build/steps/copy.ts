import type { Digest } from "#core/digest";
import type { Shim } from "#host";
import type { Layers, Lease, StackLayer } from "#images";
import { type BaseFiles, noFiles, TreeFiles } from "./base-files.ts";
import { type CopyOrder, copyLayer, folderLayer } from "./copy-layer.ts";
import { parseChmod } from "./chmod.ts";
import { resolveOwner } from "./owner.ts";

/** What steps that write layers directly work with. */
export interface CopyParts {
  readonly layers: Pick<Layers, "add" | "readFile" | "shownAt">;
  readonly shim: Shim;
  /** An empty folder that stacks are shown at, each to its own programs. */
  readonly mountPoint: string;
}

/** COPY or ADD, as the instruction says it. */
export interface CopyStep extends Omit<CopyOrder, "owner" | "chmod"> {
  /** As if there were nothing below: the layer is laid on nothing, and can be put on anything. */
  readonly link: boolean;
  /** The stack that it is laid on; with `link`, what owners are looked up in. */
  readonly below: Digest | undefined;
  readonly chown?: string;
  readonly chmod?: string;
}

/** A layer and the stack with it. */
export interface Layered {
  readonly layer: StackLayer;
  readonly stack: Digest;
}

/**
 * COPY and ADD: writes the layer and lays it on the stack; with `link`, on nothing. Undefined when no source matched
 * anything. Faults as `copyLayer`'s, and `invalid` for a bad mode or an owner who is not there.
 */
export async function copyStep(
  parts: CopyParts,
  step: CopyStep,
  lease: Lease,
  signal: AbortSignal,
): Promise<Layered | undefined> {
  const { below, chown, chmod, link, ...rest } = step;
  if (rest.sources.length === 0) return undefined;
  const { layers, shim } = parts;
  const order: CopyOrder = {
    ...rest,
    ...(chown !== undefined && { owner: await resolveOwner(chown, (path) => layers.readFile(below, path)) }),
    ...(chmod !== undefined && { chmod: parseChmod(chmod) }),
  };
  await using base = filesOf(parts, link ? undefined : below, signal);
  return await layers.add(link ? undefined : below, copyLayer(order, { base, shim }, signal), lease, signal);
}

/** WORKDIR: makes the directory, and those above it that are not there, for that owner; undefined when it is there. */
export async function workdirStep(
  parts: CopyParts,
  step: { readonly below: Digest | undefined; readonly path: string; readonly user: string; readonly timeNs: bigint },
  lease: Lease,
  signal: AbortSignal,
): Promise<Layered | undefined> {
  const { below, path, user, timeNs } = step;
  const owner = user === "" ? undefined : await resolveOwner(user, (file) => parts.layers.readFile(below, file));
  await using base = filesOf(parts, below, signal);
  const tar = await folderLayer(path, owner, timeNs, base);
  return tar === undefined ? undefined : await parts.layers.add(below, onePiece(tar), lease, signal);
}

/** What is below; nothing for a stage from scratch. */
function filesOf(
  { layers, shim, mountPoint: tree }: CopyParts,
  stack: Digest | undefined,
  signal: AbortSignal,
): BaseFiles & AsyncDisposable {
  if (stack === undefined) return { ...noFiles, [Symbol.asyncDispose]: async () => await Promise.resolve() };
  return new TreeFiles(shim, { tree, mounts: layers.shownAt(stack, tree) }, signal);
}

async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield await Promise.resolve(bytes);
}
