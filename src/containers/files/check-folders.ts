import { readdir, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { shortId } from "#core/ids";
import type { FolderFinding } from "../containers.ts";
import { foldersOf } from "../life/folders.ts";
import type { Room } from "../room.ts";

/** A creation or removal under way is no finding. */
const passingMs = 600_000;

/** Looks for folders without a container and containers without their layer; `repair` removes the former. */
export async function checkFolders(room: Room, { repair }: { readonly repair: boolean }): Promise<FolderFinding[]> {
  const findings: FolderFinding[] = [];
  const { paths } = room.host;
  for (const containerId of await readdir(dirname(foldersOf(paths, "x").data))) {
    const folder = foldersOf(paths, containerId).data;
    const isKnown = room.store.get(containerId) !== undefined || room.steps.has(containerId);
    if (isKnown || !(await isSettled(folder))) continue;
    if (repair) await rm(folder, { recursive: true, force: true });
    const text = `folder ${folder} belongs to no container`;
    findings.push({ containerId, text, outcome: repair ? "repaired" : "repairable" });
  }
  for (const { id: containerId, name } of room.store.all()) {
    if (room.images.hasRoot(containerId)) continue;
    const text = `container ${name} (${shortId(containerId)}) has lost its writable layer: it can only be removed`;
    findings.push({ containerId, text, outcome: "left" });
  }
  return findings;
}

async function isSettled(path: string): Promise<boolean> {
  const facts = await stat(path).catch(() => undefined);
  return facts !== undefined && Date.now() - facts.mtimeMs > passingMs;
}
