import type { RegistryFault } from "./failure.ts";
import { pause } from "./route.ts";

/** What an upload or a download tells of itself, in Docker's words. */
export interface TransferStep {
  readonly status: string;
  readonly current?: number;
  readonly total?: number;
}

/** What both are done with. */
export interface TransferTools {
  /** The first wait after a failure; doubles up to 15 s. */
  readonly retryDelayMs: number;
  readonly report: (step: TransferStep) => void;
}

/** Waits before a broken transfer is resumed, and says so; as long as the registry asks, if that is at most a minute. Throws the error when it is not. */
export async function backOff(
  tools: TransferTools,
  error: RegistryFault,
  failures: number,
  signal: AbortSignal,
): Promise<void> {
  const ownMs = Math.min(tools.retryDelayMs * 2 ** (failures - 1), 15_000) * (0.75 + Math.random() / 2);
  const askedMs = error.retryAfterMs ?? 0;
  if (askedMs > 60_000) throw error;
  const waitMs = Math.max(ownMs, askedMs);
  const seconds = Math.max(1, Math.round(waitMs / 1000));
  tools.report({ status: `Retrying in ${seconds} second${seconds === 1 ? "" : "s"}` });
  await pause(waitMs, signal);
}
