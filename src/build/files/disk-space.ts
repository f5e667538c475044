import { Fault, isFault } from "#core/fault";
import { needSpace } from "#host";

const checkedEveryMs = 500;

/** Does work that fills a folder by itself, and ends it when the disk gets full. Fault `exhausted`. */
export async function withSpace<Result>(
  folder: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  await needSpace(folder, 0);
  const full = new AbortController();
  const look = (): void => {
    needSpace(folder, 0).catch((error: unknown) => {
      if (isFault(error, "exhausted")) full.abort(error);
    });
  };
  const timer = setInterval(look, checkedEveryMs);
  try {
    return await work(AbortSignal.any([signal, full.signal]));
  } catch (error) {
    throw full.signal.aborted && !signal.aborted ? full.signal.reason : error;
  } finally {
    clearInterval(timer);
  }
}

/** The fault of a full disk. */
export function noSpace(): Fault {
  return new Fault("exhausted", "no space left on device", {
    remedy: "Free disk space and try again: `slipway system df`, `slipway system prune`.",
  });
}
