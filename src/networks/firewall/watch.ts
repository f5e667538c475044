import type { Shim } from "#host";
import { EventWatch } from "../event-watch.ts";

/** What the watch needs. */
export interface FirewallWatchOptions {
  readonly shim: Pick<Shim, "run">;
  readonly table: string;
  /** Whether the table is as it was written. */
  isWhole(): Promise<boolean>;
  /** Writes it anew, and tells. */
  repair(): Promise<void>;
  onTrouble(error: unknown): void;
}

/** Notices when somebody takes our table away, or parts of it (`nft flush ruleset`, the reload of another firewall), and has it written anew. */
export function firewallWatch({ shim, table, isWhole, repair, onTrouble }: FirewallWatchOptions): EventWatch {
  const removal = new RegExp(`^delete (?:table|chain|rule|set|map) (?:inet|ip6?) ${table}(?: |$)`);
  return new EventWatch({
    shim,
    argv: ["nft", "monitor", "destroy"],
    concerns: (line) => removal.test(line),
    look: async () => {
      if (!(await isWhole())) await repair();
    },
    onTrouble,
  });
}
