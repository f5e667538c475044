import type { Shim } from "#host";
import type { Catalog } from "../catalog.ts";
import type { ContentStore } from "../content.ts";
import type { Finding } from "../images.ts";
import type { Keeper } from "../keeper.ts";
import type { Roots } from "../roots.ts";
import type { SnapshotDriver } from "../snapshots.ts";
import type { Unpacker } from "../unpack.ts";
import { checkBlob, missingBlobs, strayBlobs } from "./check-blobs.ts";
import { checkLayers } from "./check-layers.ts";
import { checkNames } from "./check-names.ts";
import type { CheckRecords } from "./check-records.ts";
import { checkRoots } from "./check-roots.ts";

/** What is checked. */
export interface CheckParts {
  readonly catalog: Catalog;
  readonly records: CheckRecords;
  readonly content: ContentStore;
  readonly keeper: Keeper;
  readonly snapshots: SnapshotDriver;
  readonly unpacker: Unpacker;
  readonly roots: Roots;
  readonly shim: Shim;
}

export interface CheckOptions {
  /** Removes what belongs to nobody, sets damaged blobs aside, unpacks lost layers again. */
  readonly repair: boolean;
  readonly isContainer: (id: string) => boolean;
}

/** Compares the store with its records, and every blob with its digest; base before what stands on it. */
export async function* checkStore(
  parts: CheckParts,
  options: CheckOptions,
  signal: AbortSignal,
): AsyncGenerator<Finding, void, void> {
  yield* checkNames(parts, options);
  for (const digest of (await parts.content.list()).sort()) {
    signal.throwIfAborted();
    const finding = await checkBlob(parts, digest, options, signal);
    if (finding !== undefined) yield finding;
  }
  yield* missingBlobs(parts);
  yield* strayBlobs(parts, options);
  yield* checkLayers(parts, options, signal);
  yield* checkRoots(parts, options);
}
