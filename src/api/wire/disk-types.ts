/** `POST /slipway/gc`. */
export interface CollectionAnswer {
  /** `85%`, `20GB`, `off`. */
  readonly Budget: string;
  readonly UsedBytes: number;
  /** Collection begins beyond it; absent without a budget. */
  readonly LimitBytes?: number;
  /** And ends there. */
  readonly TargetBytes?: number;
  readonly DryRun: boolean;
  readonly Collected: readonly CollectedAnswer[];
  /** What came free, or would. */
  readonly SpaceReclaimed: number;
}

export interface CollectedAnswer {
  /** `untagged image`, `build cache`, `image`, `old log`. */
  readonly Kind: string;
  readonly ID: string;
  readonly Names: readonly string[];
  readonly LastUsed: string;
  readonly FreedBytes: number;
}

/** One line of `POST /slipway/check`. */
export interface CheckFindingAnswer {
  readonly Kind: string;
  readonly Text: string;
  readonly Outcome: "repaired" | "repairable" | "left";
  readonly Remedy?: string;
}
