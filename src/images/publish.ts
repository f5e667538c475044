import { type FileHandle, open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Gives a finished file its name: its bytes are on the disk before the name is, and nobody writes to it again. */
export async function publish(file: FileHandle, from: string, to: string): Promise<void> {
  await file.chmod(0o400);
  await file.datasync();
  await rename(from, to);
  await syncPath(dirname(to));
}

/** Puts the names in a folder, or the bytes of a file, on the disk. */
export async function syncPath(path: string): Promise<void> {
  const opened = await open(path, "r");
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}
