import { open, rm, truncate, writeFile } from "node:fs/promises";
import { Fault, isFault } from "#core/fault";
import { parseSize } from "#core/size";
import type { Shim } from "./shim/shim-types.ts";

/** The size that a text such as `1g` asks a file system of its own to have, in bytes. Faults: `invalid` in Docker's words. */
export function diskSizeOf(text: string): number {
  const shown = `invalid size: '${text.slice(0, 100)}'`;
  const bytes = parseSize(text);
  if (bytes === undefined) throw new Fault("invalid", shown);
  if (bytes >= leastBytes && bytes <= mostBytes) return bytes - (bytes % 4096);
  throw new Fault("invalid", `${shown} is not between 16m and 16t`, {
    remedy: "A file system of its own holds what is written: choose a size for it in that range.",
  });
}

/** Less holds no journal, more no ext4 of the usual block size. */
const leastBytes = 16 * 2 ** 20;
const mostBytes = 16 * 2 ** 40;

/**
 * Makes the image of a file system of that size for the mount operation `disk`, with what is in the folder `seed`, which goes. The
 * file takes of the disk what is written to it and no more; it is on the disk when this is done.
 */
export async function makeDiskImage(
  shim: Shim,
  { image, seed, sizeBytes }: { readonly image: string; readonly seed: string; readonly sizeBytes: number },
): Promise<void> {
  await writeFile(image, "", { mode: 0o600 });
  await makeSparse(image, sizeBytes);
  const made = await makeFileSystem(shim, seed, image);
  if (/No space left on device/i.test(made.stderr)) {
    throw new Fault("exhausted", "no space left on device for a file system of that size", {
      remedy:
        "Free disk space (`slipway system df`), or choose a smaller size: what a file system notes down about itself grows with it.",
    });
  }
  if (made.code !== 0) throw new Fault("internal", `mkfs.ext4 failed: ${made.stderr.trim().slice(0, 500)}`);
  await using file = await open(image, "r+");
  await file.sync();
  await rm(seed, { recursive: true });
}

/** Each file system has its own largest file: ext4's ends just below 16 TiB. */
async function makeSparse(image: string, sizeBytes: number): Promise<void> {
  try {
    await truncate(image, sizeBytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EFBIG") throw error;
    throw new Fault("invalid", `invalid size: the file system of the data root has no files of ${sizeBytes} bytes`, {
      cause: error,
      remedy: "Choose a smaller size (on ext4 files end just below 16t), or lay the data root on xfs.",
    });
  }
}

/** Nothing is kept for root, as quotas keep nothing; what can wait is written when it is needed. */
const format: readonly string[] = [
  "-q",
  "-F",
  "-m",
  "0",
  "-E",
  "lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0",
];

async function makeFileSystem(shim: Shim, seed: string, image: string): ReturnType<Shim["runToEnd"]> {
  try {
    return await shim.runToEnd({ argv: ["mkfs.ext4", ...format, "-d", seed, image], timeLimitMs: 60_000 });
  } catch (error) {
    if (!isFault(error, "notFound")) throw error;
    throw new Fault("unsupported", "the program mkfs.ext4 is not installed, which a bound on size needs", {
      cause: error,
      remedy: "Install the package e2fsprogs.",
    });
  }
}
