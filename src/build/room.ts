import type { BuilderOptions } from "./build.ts";
import type { CacheMounts } from "./cache/cache-mounts.ts";
import type { StepResults } from "./cache/results.ts";
import type { Selections } from "./cache/selections.ts";
import type { Slots } from "./cache/slots.ts";
import type { BuildFiles } from "./files/open.ts";
import type { BuildRecords } from "./history/build-records.ts";
import type { SharedSteps } from "./solve/shared-steps.ts";
import type { Made } from "./solve/solve.ts";
import type { Places } from "#core/places";

/** What the builds of a daemon share. */
export interface Room extends BuilderOptions {
  readonly results: StepResults;
  readonly slots: Slots;
  readonly selections: Selections;
  readonly cacheMounts: CacheMounts;
  readonly records: BuildRecords;
  readonly shared: SharedSteps<Made>;
  readonly places: Places;
  readonly files: BuildFiles;
  /** The room's own, for what passes. */
  readonly folder: string;
  /** An empty folder that programs see stacks at, each in its own mount namespace. */
  readonly mountPoint: string;
  /** Builds that run, by id. */
  readonly running: Map<string, RunningBuild>;
}

export interface RunningBuild {
  readonly controller: AbortController;
  readonly startedNs: bigint;
  /** Settles when nothing of it runs any more; never rejects. */
  readonly ended: Promise<void>;
}
