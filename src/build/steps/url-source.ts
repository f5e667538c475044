import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join, posix } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Digest, Digester, isDigest } from "#core/digest";
import { Fault } from "#core/fault";
import { tarHeader } from "#core/tar";
import type { Web } from "#images";
import type { SelectedItem } from "../files/files.ts";

/** A file that was fetched; disposing it removes it from the disk. */
export interface Fetched extends AsyncDisposable {
  readonly item: SelectedItem;
  /** Of its bytes. */
  readonly digest: Digest;
}

/** What ADD says of a source on the web. */
export interface UrlSource {
  readonly url: string;
  /** `--checksum`. */
  readonly checksum?: string;
}

/**
 * Fetches a source of ADD into a folder: named as the URL's path ends, mode 0600, root's, of the time that the server
 * tells (else of 1970). Faults: `invalid` for a bad URL or other bytes than the checksum says, and those of `Web`.
 */
export async function fetchSource(web: Web, source: UrlSource, folder: string, signal: AbortSignal): Promise<Fetched> {
  const { url: text, checksum } = source;
  if (checksum !== undefined && !isDigest(checksum))
    throw new Fault("invalid", `invalid checksum digest format: ${checksum}`, {
      remedy: "Write it as sha256: and 64 lower-case hexadecimal digits.",
    });
  if (!URL.canParse(text)) throw new Fault("invalid", `invalid URL: ${text}`);
  const url = new URL(text);
  await using undo = new AsyncDisposableStack();
  const scratch = await mkdtemp(join(folder, "fetched-"));
  undo.defer(async () => await rm(scratch, { recursive: true, force: true }));
  const path = join(scratch, "file");
  const answer = await web.get(url, signal);
  const digester = new Digester();
  await pipeline(digested(answer.body, digester), createWriteStream(path, { mode: 0o600 }), { signal });
  const digest = digester.digest();
  if (checksum !== undefined && digest !== checksum)
    throw new Fault("invalid", `digest mismatch ${digest}: ${checksum}`, {
      remedy: "What the server sends is not what --checksum says: check both before you trust either.",
    });
  const modified = Date.parse(answer.headers["last-modified"] ?? "");
  const header = tarHeader({
    type: "file",
    path: "",
    mode: 0o600,
    sizeBytes: digester.sizeBytes,
    mtimeNs: Number.isNaN(modified) ? 0n : BigInt(modified) * 1_000_000n,
  });
  const name = nameOf(url);
  const item: SelectedItem = {
    path: name,
    name,
    kind: "file",
    async *entries() {
      yield await Promise.resolve({ header, data: createReadStream(path, { highWaterMark: 1 << 17 }) });
    },
  };
  const held = undo.move();
  return { item, digest, [Symbol.asyncDispose]: async () => await held.disposeAsync() };
}

async function* digested(body: AsyncIterable<Uint8Array>, digester: Digester): AsyncGenerator<Uint8Array, void, void> {
  for await (const piece of body) {
    digester.update(piece);
    yield piece;
  }
}

/** The last part of the URL's path, as BuildKit has it. */
function nameOf({ pathname }: URL): string {
  const name = posix.basename(decoded(pathname));
  return name === "" || name === "." || name === ".." ? "__unnamed__" : name;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
