import { pipeline, Readable, type Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { ByteReader } from "#core/byte-reader";
import { asFault, Fault } from "#core/fault";
import type { Shim } from "#host";

/** How bytes are packed, told by their first bytes. */
export type Compression = "none" | "gzip" | "zstd" | "bzip2" | "xz";

/** Looks at the first bytes without consuming them. */
export async function detectCompression(reader: ByteReader): Promise<Compression> {
  const head = await peek(reader, 6);
  for (const [compression, magic] of magics) if (head.subarray(0, magic.length).equals(magic)) return compression;
  return "none";
}

/** The bytes unpacked, whatever of gzip, zstd, bzip2, xz and plain they are. Fault `invalid` for damaged ones. */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  shim: Shim,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = new ByteReader(source);
  try {
    switch (await detectCompression(reader)) {
      case "none":
        yield* reader.rest();
        return;
      case "gzip":
        yield* through(reader, createGunzip({ chunkSize: 1 << 18 }));
        return;
      case "zstd":
        yield* through(reader, createZstdDecompress({ chunkSize: 1 << 18 }));
        return;
      case "bzip2":
        yield* throughProgram(reader, ["bzip2", "-dc"], shim, signal);
        return;
      case "xz":
        yield* throughProgram(reader, ["xz", "-dc", "--memlimit-decompress=256MiB"], shim, signal);
    }
  } finally {
    await reader.close();
  }
}

const magics: readonly (readonly [Compression, Buffer])[] = [
  ["gzip", Buffer.from([0x1f, 0x8b])],
  ["zstd", Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ["bzip2", Buffer.from("BZh")],
  ["xz", Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
];

async function peek(reader: ByteReader, count: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let left = count; left > 0;) {
    const piece = await reader.some(left);
    if (piece === undefined) break;
    parts.push(piece);
    left -= piece.length;
  }
  const head = Buffer.concat(parts);
  reader.unread(head);
  return head;
}

async function* through(reader: ByteReader, transform: Transform): AsyncGenerator<Uint8Array, void, void> {
  // A failure of the source destroys the transform with that error, so the loop below throws it.
  pipeline(Readable.from(reader.rest(), { objectMode: false }), transform, () => undefined);
  try {
    for await (const piece of transform) yield piece as Buffer;
  } catch (error) {
    throw isZlibError(error) ? new Fault("invalid", `archive is damaged: ${error.message}`, { cause: error }) : error;
  }
}

function isZlibError(error: unknown): error is Error {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return false;
  return /^(Z_|ZSTD_|ERR_ZLIB_|ERR_ZSTD_)/.test(error.code);
}

async function* throughProgram(
  reader: ByteReader,
  argv: readonly string[],
  shim: Shim,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  await using program = await shim.run({ argv }, signal);
  const fed = feed(reader, program);
  fed.catch(() => undefined);
  yield* program.stdout;
  const end = await program.ended;
  if (end.code !== 0) throw new Fault("invalid", `archive is damaged: ${program.stderr().trim().slice(0, 300)}`);
  await fed;
}

async function feed(reader: ByteReader, program: Awaited<ReturnType<Shim["run"]>>): Promise<void> {
  try {
    for await (const piece of reader.rest()) await program.write(piece);
    await program.end();
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw asFault(error);
  }
}
