import type { Catalog, LayerRecord } from "./catalog.ts";
import type { Draft, SnapshotDriver } from "./snapshots.ts";

/** What a layer is recorded with. */
export interface LayerRecording {
  readonly catalog: Catalog;
  readonly snapshots: SnapshotDriver;
  /** Of the machine, now. */
  readonly boot: string;
}

/** Publishes a draft and records it, unless the same layer has come by another way meanwhile: that one stays. */
export async function recordLayer(
  { catalog, snapshots, boot }: LayerRecording,
  draft: Draft,
  layer: Pick<LayerRecord, "chainId" | "parent" | "diffId">,
  lasting: "synced" | "unsynced",
): Promise<void> {
  if (catalog.layer(layer.chainId) !== undefined) return;
  const folder = await draft.publish(lasting);
  if (catalog.layer(layer.chainId) === undefined) {
    const { sizeBytes } = draft;
    catalog.addLayer({ ...layer, folder, sizeBytes, ...(lasting === "unsynced" && { unsyncedIn: boot }) });
  } else await snapshots.remove(folder);
}
