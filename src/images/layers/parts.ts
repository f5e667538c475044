import type { Catalog } from "../catalog.ts";
import type { LoadParts } from "../load.ts";
import type { Keeper } from "../keeper.ts";
import type { Roots } from "../roots.ts";
import type { SnapshotDriver } from "../snapshots.ts";
import type { VerifyLayer } from "../verify-layer.ts";

/** What layers by themselves are made with. */
export interface LayerParts extends LoadParts {
  readonly catalog: Catalog;
  readonly keeper: Keeper;
  readonly snapshots: SnapshotDriver;
  readonly roots: Roots;
  readonly verify: VerifyLayer;
  /** Of the machine, now: layers are not synced until an image needs them. */
  readonly boot: string;
  /** The layers' folder, whose disk is watched. */
  readonly folder: string;
  /** An empty folder that mounts of passing programs are made on, each in its own namespace. */
  readonly mountPoint: string;
}
