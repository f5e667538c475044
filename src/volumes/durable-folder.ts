import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Makes a folder with a folder (and what `addTo` adds, durably) in it: all is on the disk before the outer one has its name. */
export async function makeDurably(path: string, inner: string, addTo: (draft: string) => Promise<void>): Promise<void> {
  const draft = join(dirname(path), `${draftPrefix}${path.slice(dirname(path).length + 1)}`);
  await mkdir(join(draft, inner), { recursive: true, mode: 0o700 });
  await syncPath(join(draft, inner));
  try {
    await addTo(draft);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
  await syncPath(draft);
  await renameDurably(draft, path);
}

/** Names of what is not finished; no volume can have one. */
export const draftPrefix = ".new-";

/** Renames within a folder, and puts the new name on the disk. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncPath(dirname(to));
}

async function syncPath(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
