import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { PassThrough, pipeline } from "node:stream";
import { utf8Name } from "#core/tar";
import { readTar } from "#core/tar-read";

/** One image of an OCI archive: what its manifest names, and where the first difference may be. */
interface Archive {
  readonly path: string;
  readonly manifest: string;
  readonly config: string;
  readonly layers: readonly string[];
}

/** Compares two OCI archives of one build: undefined when the images are one, else the first difference in words. */
export async function firstDifference(left: string, right: string): Promise<string | undefined> {
  const [first, second] = [await readArchive(left), await readArchive(right)];
  if (first.manifest === second.manifest) return undefined;
  if (first.layers.length !== second.layers.length)
    return `the images have ${first.layers.length} and ${second.layers.length} layers`;
  for (const [index, digest] of first.layers.entries()) {
    const other = second.layers[index] ?? "";
    if (digest === other) continue;
    const place = await firstPath(first.path, digest, second.path, other);
    return `layer ${index + 1} of ${first.layers.length} (${digest} and ${other}): ${place}`;
  }
  if (first.config !== second.config)
    return `the configurations (${first.config} and ${second.config}): times of the history, most likely; set SOURCE_DATE_EPOCH`;
  return `the manifests (${first.manifest} and ${second.manifest})`;
}

async function readArchive(path: string): Promise<Archive> {
  const index = JSON.parse((await blob(path, "index.json")).toString()) as Index;
  const manifest = await manifestOf(path, index.manifests[0]?.digest ?? "");
  const { config, layers } = manifest.document;
  return { path, manifest: manifest.digest, config: config.digest, layers: layers.map(({ digest }) => digest) };
}

interface Index {
  readonly manifests: readonly { readonly digest: string }[];
}

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

/** An index of several platforms is gone down by its first. */
async function manifestOf(
  path: string,
  digest: string,
): Promise<{ readonly digest: string; readonly document: Manifest }> {
  const document = JSON.parse((await blob(path, blobName(digest))).toString()) as Manifest & Partial<Index>;
  const [inner] = document.manifests ?? [];
  return inner === undefined ? { digest, document } : await manifestOf(path, inner.digest);
}

function blobName(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}

const mostDocumentBytes = 4 << 20;

async function blob(path: string, name: string): Promise<Buffer> {
  for await (const { header, data } of readTar(createReadStream(path))) {
    if (utf8Name(header.path).replace(/^\.\//, "") !== name) continue;
    if (header.sizeBytes > mostDocumentBytes) throw new Error(`${name} is too large for a document`);
    const pieces: Uint8Array[] = [];
    for await (const piece of data) pieces.push(piece);
    return Buffer.concat(pieces);
  }
  throw new Error(`the engine's archive has no ${name}`);
}

/** Entries of both layers side by side: the first that are not the same. */
async function firstPath(left: string, leftDigest: string, right: string, rightDigest: string): Promise<string> {
  const others = fingerprints(right, rightDigest);
  for await (const entry of fingerprints(left, leftDigest)) {
    const other = await others.next();
    if (other.done === true) return `/${entry.path} is in the first alone`;
    if (entry.path !== other.value.path) return `/${entry.path} in the first, /${other.value.path} in the second`;
    const fields = Object.keys(entry.facts).filter((name) => entry.facts[name] !== other.value.facts[name]);
    const remedy = fields.join() === "time" ? "; set SOURCE_DATE_EPOCH for the same times" : "";
    if (fields.length > 0) return `/${entry.path} differs in its ${fields.join(", ")}${remedy}`;
  }
  const more = await others.next();
  return more.done === true
    ? "the entries are the same, packed differently"
    : `/${more.value.path} is in the second alone`;
}

async function* fingerprints(
  path: string,
  digest: string,
): AsyncGenerator<{ readonly path: string; readonly facts: Readonly<Record<string, string>> }, void, void> {
  for await (const { header, data } of readTar(createReadStream(path))) {
    if (utf8Name(header.path).replace(/^\.\//, "") !== blobName(digest)) continue;
    for await (const entry of readTar(await unpacked(data))) {
      const hash = createHash("sha256");
      for await (const piece of entry.data) hash.update(piece);
      const { type, mode, uid, gid, mtimeNs, linkPath } = entry.header;
      const facts = {
        type,
        mode: String(mode),
        owner: `${uid}:${gid}`,
        time: String(mtimeNs),
        link: linkPath,
        contents: hash.digest("hex"),
      };
      yield { path: utf8Name(entry.header.path).replace(/^\.\//, ""), facts };
    }
    return;
  }
}

/** Layers are plain, gzip or zstd. */
async function unpacked(data: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const pieces = data[Symbol.asyncIterator]();
  const first = await pieces.next();
  const head = first.done === true ? Buffer.alloc(0) : Buffer.from(first.value);
  async function* all(): AsyncGenerator<Uint8Array, void, void> {
    yield head;
    for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) yield next.value;
  }
  const through =
    head[0] === 0x1f && head[1] === 0x8b
      ? createGunzip()
      : head.readUInt32BE(0) === 0x28b52ffd
        ? createZstdDecompress()
        : new PassThrough();
  pipeline(all, through, () => undefined);
  return through;
}
