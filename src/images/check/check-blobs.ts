import { setTimeout as sleep } from "node:timers/promises";
import { type Digest, Digester } from "#core/digest";
import { familiar } from "#core/reference";
import { referenceOf } from "../catalog.ts";
import type { Finding } from "../images.ts";
import type { CheckOptions, CheckParts } from "./check.ts";

type NameParts = Pick<CheckParts, "catalog" | "records">;
type BlobParts = Pick<CheckParts, "catalog" | "content" | "keeper" | "records">;

/** Reads a blob and compares it with its digest. A damaged one is set aside by `repair`: the next pull of its image brings it again. `bytesPerSecond` bounds the reading. */
export async function checkBlob(
  parts: BlobParts,
  digest: Digest,
  { repair, bytesPerSecond }: Pick<CheckOptions, "repair"> & { readonly bytesPerSecond?: number },
  signal: AbortSignal,
): Promise<Finding | undefined> {
  const { content } = parts;
  if (!content.has(digest)) return undefined;
  const digester = new Digester();
  try {
    for await (const piece of content.stream(digest)) {
      signal.throwIfAborted();
      digester.update(piece);
      if (bytesPerSecond !== undefined) await sleep((piece.length / bytesPerSecond) * 1000, undefined, { signal });
    }
  } catch (error) {
    if (signal.aborted || !content.has(digest)) return undefined; // stopped, or collected meanwhile
    if (!(error instanceof Error && "code" in error && error.code === "EIO")) throw error;
  }
  if (digester.digest() === digest) return undefined;
  if (repair) content.setAside(digest);
  const text = `blob ${digest} is damaged: its bytes are not those of its digest${ofImages(parts, digest)}`;
  const { outcome, remedy } = repair
    ? { outcome: "repaired" as const, remedy: `It is now in content/damaged/; ${pullAgain(parts, digest)}` }
    : { outcome: "repairable" as const, remedy: `--repair sets it aside; then ${pullAgain(parts, digest)}` };
  return { kind: "damaged blob", subject: digest, text, outcome, remedy };
}

/** Blobs that images name and that are not there. */
export function* missingBlobs(parts: BlobParts): Generator<Finding, void, void> {
  const { catalog, content } = parts;
  const seen = new Set<Digest>();
  for (const { id } of catalog.images()) {
    for (const digest of catalog.blobsOf(id)) {
      if (seen.has(digest) || content.has(digest)) continue;
      seen.add(digest);
      const text = `blob ${digest} is missing${ofImages(parts, digest)}`;
      yield { kind: "missing blob", subject: digest, text, outcome: "left", remedy: pullAgain(parts, digest) };
    }
  }
}

/** Blobs that nothing needs: what a killed daemon left, and no collection has found yet. */
export async function* strayBlobs(
  { catalog, content, keeper }: BlobParts,
  { repair }: Pick<CheckOptions, "repair">,
): AsyncGenerator<Finding, void, void> {
  for (const digest of await content.list()) {
    if (keeper.protects(digest) || catalog.keepsBlob(digest)) continue;
    if (repair) await keeper.collectBlobs([digest]);
    const text = `blob ${digest} belongs to no image`;
    yield { kind: "stray blob", subject: digest, text, outcome: repair ? "repaired" : "repairable" };
  }
}

function ofImages(parts: NameParts, digest: Digest): string {
  const names = namesWith(parts, digest);
  return names.length === 0 ? "" : ` (of ${names.join(", ")})`;
}

function pullAgain(parts: NameParts, digest: Digest): string {
  const [name] = namesWith(parts, digest);
  return name === undefined
    ? "no image needs it."
    : `\`slipway pull ${name}\` brings it again, where its registry has it. Its containers run without it; only save, push and commit need it.`;
}

function namesWith({ catalog, records }: NameParts, digest: Digest): string[] {
  return records.imagesWithBlob(digest).map((id) => {
    const [name] = catalog.namesOf(id);
    return name === undefined ? id : familiar(referenceOf(name));
  });
}
