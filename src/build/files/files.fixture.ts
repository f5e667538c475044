import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "#core/clock";
import type { Shim } from "#host";
import { openDatabase } from "../../host/database.ts";
import { connectShim, stopZygote } from "../../host/shim/shim.ts";
import { type FileDigests, openFileDigests } from "./file-digests.ts";
import type { FileTree, Selected, Selection } from "./files.ts";
import type { FilesWiring } from "./open-tree.ts";

/** For tests: a real shim, and a folder that is removed at the end. */
export interface FilesBed extends AsyncDisposable {
  readonly folder: string;
  readonly shim: Shim;
  readonly wiring: FilesWiring;
  /** How many files were read, that is, not remembered. */
  readonly readCount: () => number;
}

/** Opens a bed for one test file. */
export async function openFilesBed(): Promise<FilesBed> {
  const repository = join(import.meta.dirname, "../../..");
  const kind = process.env["SLIPWAY_SHIM_KIND"] ?? "musl";
  execFileSync("sh", [join(repository, "shim/build.sh"), kind]);
  const folder = mkdtempSync(join(tmpdir(), "slipway-files-"));
  mkdirSync(join(folder, "run"));
  const socketPath = join(folder, "run/shim.sock");
  const shimName = kind === "musl" ? "slipway-shim" : `slipway-shim-${kind}`;
  const shim = await connectShim({ socketPath, shimPath: join(repository, "build/shim", shimName) });
  const database = openDatabase(":memory:");
  let read = 0;
  const kept = openFileDigests(database, systemClock);
  const digests: FileDigests = {
    recall: async (files) => await kept.recall(files),
    async remember(files, readNs) {
      read += files.length;
      await kept.remember(files, readNs);
    },
  };
  return {
    folder,
    shim,
    wiring: { shim, digests },
    readCount: () => read,
    async [Symbol.asyncDispose]() {
      await shim[Symbol.asyncDispose]();
      await stopZygote(socketPath);
      database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Chooses with what is left out as an instruction leaves it out. */
export async function choose(
  tree: FileTree,
  patterns: readonly string[],
  rest: Partial<Selection> = {},
): Promise<Selected> {
  return await tree.select({ patterns, excludes: [], parents: false, ...rest }, AbortSignal.timeout(60_000));
}

/** What would be copied, as lines: `name:path = text`, `name:path/`, `name:path -> target`. */
export async function copied(selected: Selected): Promise<string[]> {
  const lines: string[] = [];
  for (const item of selected.items)
    for await (const { header, data } of item.entries(AbortSignal.timeout(60_000))) {
      const pieces: Uint8Array[] = [];
      for await (const piece of data) pieces.push(piece);
      const place = `${item.name}:${Buffer.from(header.path, "latin1").toString()}`;
      if (header.type === "directory") lines.push(`${place}/`);
      else if (header.type === "file") lines.push(`${place} = ${Buffer.concat(pieces).toString()}`);
      else if (header.linkPath !== "")
        lines.push(`${place} ${header.type === "symlink" ? "->" : "=="} ${header.linkPath}`);
      else lines.push(`${place} ${header.type}`);
    }
  return lines;
}
