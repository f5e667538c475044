import { stat } from "node:fs/promises";
import type { Digest } from "#core/digest";
import type { Catalog } from "./catalog.ts";
import type { ContentStore } from "./content.ts";
import { isHidden } from "./find.ts";
import { viewOf } from "./image-view.ts";
import type { Holdings, ImageHolding } from "./images.ts";
import type { Leases } from "./leases.ts";

/** What the picture is taken from. */
export interface HoldingsParts {
  readonly catalog: Catalog;
  readonly content: ContentStore;
  readonly leases: Leases;
}

/** Takes the picture in one turn, but for the sizes of the blobs, which are looked up before. */
export async function holdings({ catalog, content, leases }: HoldingsParts): Promise<Holdings> {
  const blobs = await blobSizes(content);
  const layers = new Map(catalog.layers().map((layer) => [layer.chainId, layer] as const));
  const stackOf = (top: Digest | undefined): string[] => {
    const stack: string[] = [];
    for (let at = top; at !== undefined; at = layers.get(at)?.parent) stack.push(at);
    return stack;
  };
  const held = new Set<string>();
  const owned = catalog.held();
  for (const top of [...catalog.rootTops(), ...owned.stacks, ...leases.protectedLayers()])
    for (const piece of stackOf(top)) held.add(piece);
  for (const digest of owned.blobs) if (blobs.has(digest)) held.add(`blob:${digest}`);
  for (const digest of blobs.keys()) if (leases.protects(digest)) held.add(`blob:${digest}`);
  const images: ImageHolding[] = [];
  for (const record of catalog.images()) {
    const own = [...stackOf(record.topChain), ...catalog.blobsOf(record.id).map((digest) => `blob:${digest}`)];
    if (isHidden(catalog, record) || record.embedded) for (const piece of own) held.add(piece);
    if (isHidden(catalog, record)) continue;
    const { id, repoTags, repoDigests } = viewOf(catalog, record);
    const isHeld = record.embedded || catalog.holdersOf(id).length > 0;
    images.push({ id, repoTags, repoDigests, usedNs: record.usedNs, isHeld, pieces: own });
  }
  const pieces = new Map<string, number>([
    ...[...layers.values()].map(({ chainId, sizeBytes }) => [chainId, sizeBytes] as const),
    ...[...blobs].map(([digest, sizeBytes]) => [`blob:${digest}`, sizeBytes] as const),
  ]);
  return { pieces, heldPieces: held, images };
}

async function blobSizes(content: ContentStore): Promise<Map<Digest, number>> {
  const sizes = new Map<Digest, number>();
  const queue = (await content.list()).values();
  const worker = async (): Promise<void> => {
    for (const digest of queue) {
      const facts = await stat(content.pathOf(digest)).catch(() => undefined);
      if (facts !== undefined) sizes.set(digest, facts.size);
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  return sizes;
}
