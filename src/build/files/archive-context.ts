import { ByteReader } from "#core/byte-reader";
import { Fault, isFault } from "#core/fault";
import { isZeroBlock, readHeaderBlock } from "#core/tar-header";
import { tarBlockBytes } from "#core/tar";
import { decompress } from "#images";
import { openFolderTree } from "./folder-tree.ts";
import type { FilesWiring, WholeTree } from "./open-tree.ts";
import { makeScratch } from "./scratch.ts";
import { unpackArchive } from "./unpack-archive.ts";

/** What came in a stream of bytes. */
export type Uploaded =
  | { readonly kind: "tree"; readonly tree: WholeTree }
  /** A Dockerfile alone. */
  | { readonly kind: "dockerfile"; readonly text: string };

/** Most bytes of a Dockerfile. */
export const dockerfileLimitBytes: number = 1 << 20;

/**
 * Takes an archive (tar, plain or packed by gzip, bzip2, xz or zstd) into a private folder, or a Dockerfile that came alone.
 * The folder goes with the tree. Faults as `unpackArchive`'s.
 */
export async function openArchive(
  wiring: FilesWiring,
  scratchFolder: string,
  bytes: AsyncIterable<Uint8Array>,
  name: string,
  signal: AbortSignal,
): Promise<Uploaded> {
  await using closing = new AsyncDisposableStack();
  const reader = new ByteReader(decompress(bytes, wiring.shim, signal));
  closing.defer(async () => await reader.close());
  await using undo = new AsyncDisposableStack();
  const head = await firstBytes(reader, tarBlockBytes);
  if (!isTar(head)) return { kind: "dockerfile", text: await textAlone(reader) };
  const scratch = undo.use(await makeScratch(wiring.shim, scratchFolder));
  await unpackArchive(wiring.shim, scratch.path, reader.rest(), signal);
  const dispose = async (): Promise<void> => await scratch[Symbol.asyncDispose]();
  const tree = await openFolderTree(wiring, scratch.path, { name, dispose });
  undo.move();
  return { kind: "tree", tree };
}

async function firstBytes(reader: ByteReader, count: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let left = count; left > 0;) {
    const piece = await reader.some(left);
    if (piece === undefined) break;
    pieces.push(piece);
    left -= piece.length;
  }
  const head = Buffer.concat(pieces);
  reader.unread(head);
  return head;
}

/** No bytes at all are an archive of nothing. */
function isTar(head: Buffer): boolean {
  if (head.length === 0) return true;
  if (head.length < tarBlockBytes) return false;
  if (isZeroBlock(head)) return true;
  try {
    readHeaderBlock(head);
    return true;
  } catch (error) {
    if (isFault(error, "invalid")) return false;
    throw error;
  }
}

async function textAlone(reader: ByteReader): Promise<string> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of reader.rest()) {
    sizeBytes += piece.length;
    if (piece.includes(0) || sizeBytes > dockerfileLimitBytes)
      throw new Fault("invalid", "the build context is neither an archive nor a Dockerfile", {
        remedy: "Send a tar archive (plain, or packed by gzip, bzip2, xz or zstd), or the text of a Dockerfile.",
      });
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}
