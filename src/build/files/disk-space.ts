import { statfs } from "node:fs/promises";
import { Fault } from "#core/fault";

/** What stays free on the disk, so that what comes from elsewhere, however swollen, cannot stop the host. */
const reservedBytes = 256 << 20;
const checkedEveryBytes = 32 << 20;
const checkedEveryMs = 500;

/** Passes the bytes on, looking at the free space of the folder's disk before the first and after each 32 MiB. Fault `exhausted`. */
export async function* guardSpace(
  source: AsyncIterable<Uint8Array>,
  folder: string,
): AsyncGenerator<Uint8Array, void, void> {
  let untilCheckBytes = 0;
  for await (const piece of source) {
    untilCheckBytes -= piece.length;
    if (untilCheckBytes <= 0) {
      if (!(await hasSpace(folder))) throw noSpace();
      untilCheckBytes = checkedEveryBytes;
    }
    yield piece;
  }
}

/** Does work that fills a folder by itself, and ends it when the disk gets full. Fault `exhausted`. */
export async function withSpace<Result>(
  folder: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  if (!(await hasSpace(folder))) throw noSpace();
  const full = new AbortController();
  const look = async (): Promise<void> => {
    if (!(await hasSpace(folder))) full.abort();
  };
  const timer = setInterval(() => void look().catch(() => undefined), checkedEveryMs);
  try {
    return await work(AbortSignal.any([signal, full.signal]));
  } catch (error) {
    throw full.signal.aborted && !signal.aborted ? noSpace() : error;
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

async function hasSpace(folder: string): Promise<boolean> {
  const disk = await statfs(folder);
  // A disk smaller than the reserve itself keeps an eighth.
  const reserve = Math.min(reservedBytes, (disk.blocks * disk.bsize) / 8);
  return disk.bavail * disk.bsize >= reserve;
}
