/** The door of `disk/`: how much room there is, what goes when it runs short, and whether what is kept is sound. */
import type { DiskBudget } from "#core/disk-budget";
import type { EventSink } from "#core/event";
import type { Log } from "#core/log";
import type { Builder } from "#build";
import type { Containers } from "#containers";
import type { Host } from "#host";
import type { Images } from "#images";
import type { Volumes } from "#volumes";
import type { CandidateKind } from "./plan.ts";

/** What counts against the budget, and the budget in bytes; both absent without one. */
export interface BudgetState {
  readonly budget: DiskBudget;
  readonly usedBytes: number;
  /** Collection begins beyond it; Infinity without a budget. */
  readonly limitBytes: number;
}

/** Something that went, or would go. */
export interface Collected {
  readonly kind: CandidateKind;
  readonly id: string;
  readonly names: readonly string[];
  readonly usedNs: bigint;
  readonly freedBytes: number;
}

export interface Collection extends BudgetState {
  readonly targetBytes: number;
  readonly collected: readonly Collected[];
  /** What came free, or would. */
  readonly reclaimedBytes: number;
}

/** Something that is not as it should be. */
export interface DiskFinding {
  /** `damaged blob`, `stray folder` … */
  readonly kind: string;
  readonly text: string;
  /** `repairable`: nobody asked for it. */
  readonly outcome: "repaired" | "repairable" | "left";
  readonly remedy?: string;
}

export interface Disk {
  /** What is used: by the file system's word, or (with a budget in bytes) as it was measured last. */
  state(): Promise<BudgetState>;
  /** Keeps to the budget: collects what nobody needs if more than that is used; with `dryRun` only says what would go. */
  collect(options: { readonly dryRun: boolean }): Promise<Collection>;
  /** Something has come or is about to: looks soon, and keeps nobody waiting. */
  nudge(): void;
  /** Compares everything that is stored with its records and digests. One at a time: Fault `conflict`. */
  check(options: { readonly repair: boolean }, signal: AbortSignal): AsyncIterable<DiskFinding>;
  /** Ends the work in the background. */
  close(): Promise<void>;
}

export interface DiskOptions {
  readonly host: Pick<Host, "clock" | "database" | "paths">;
  readonly images: Images;
  readonly containers: Containers;
  readonly volumes: Pick<Volumes, "usage">;
  /** Absent: there is no build cache. */
  readonly builder?: Pick<Builder, "usage" | "prune">;
  readonly events: EventSink;
  readonly log: Log;
  readonly budget: DiskBudget;
  /** Patterns of image names (`postgres:*`) that stay in any case. */
  readonly keep: readonly string[];
  /** In how many days every blob is read once and compared with its digest; 0: never. */
  readonly scrubDays: number;
}

export { openDisk } from "./open.ts";
