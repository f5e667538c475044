import { statfs } from "node:fs/promises";
import { Fault } from "#core/fault";

/** What always stays free on the data root's disk, so that an archive however swollen cannot stop the host. */
const reservedBytes = 256 << 20;
const checkedEveryBytes = 32 << 20;

/** Passes the bytes on, looking at the disk's free space before the first and after each 32 MiB; Fault `exhausted` when less than 256 MiB would stay. */
export async function* guardSpace(
  source: AsyncIterable<Uint8Array>,
  folder: string,
): AsyncGenerator<Uint8Array, void, void> {
  let untilCheckBytes = 0;
  for await (const piece of source) {
    untilCheckBytes -= piece.length;
    if (untilCheckBytes <= 0) {
      await needSpace(folder, checkedEveryBytes);
      untilCheckBytes = checkedEveryBytes;
    }
    yield piece;
  }
}

/** Fault `exhausted` unless the disk of that folder takes so many bytes more. */
export async function needSpace(folder: string, bytes: number): Promise<void> {
  const disk = await statfs(folder);
  // A disk smaller than the reserve itself (a test's tmpfs) keeps an eighth.
  const reserve = Math.min(reservedBytes, (disk.blocks * disk.bsize) / 8);
  if (disk.bavail * disk.bsize - Math.min(bytes, reserve) < reserve) {
    throw new Fault("exhausted", "no space left on device", {
      remedy: `Less than ${Math.round(reserve / (1 << 20))} MiB would stay free in ${folder}; \`docker system prune\` removes what nothing uses.`,
    });
  }
}
