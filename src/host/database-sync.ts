import { open } from "node:fs/promises";
import { GroupSync } from "./group-sync.ts";

/**
 * Puts a database's write-ahead log on the disk, off the event loop. SQLite itself (`synchronous=NORMAL`) does so at
 * checkpoints only: the start of a container need not wait for the disk, and who must not lose a commit asks for it here.
 */
export function logSync(databasePath: string): GroupSync {
  const path = `${databasePath}-wal`;
  return new GroupSync(async () => await syncFile(path));
}

/** SQLite's locks lie on the database itself, so that this file may be opened and closed beside it. */
async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}
