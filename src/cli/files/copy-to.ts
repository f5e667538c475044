import { lstat, realpath } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { EngineFault } from "#api/client";
import type { Surroundings } from "../surroundings.ts";
import { asksForFolder, type CopyTarget, isCurrentFolder, placeOf, splitPath } from "./copy-paths.ts";
import { showCopied } from "./copy-progress.ts";
import { pack } from "./pack.ts";

/** Copies a path of this machine, or (`-`) the tar on stdin, into a container. */
export async function copyToContainer(
  around: Surroundings,
  source: string,
  destination: { readonly container: string; readonly path: string },
  options: { readonly followLink: boolean; readonly quiet: boolean; readonly copyOwner: boolean },
): Promise<void> {
  const { containers } = await around.client();
  const { container } = destination;
  const target = await targetIn(around, destination);
  const put = async (folder: string, archive: AsyncIterable<Uint8Array>): Promise<void> => {
    const shown = showCopied(around, "Copying to container - ", options.quiet, archive);
    await containers.putArchive(container, folder, shown.bytes, { keepKinds: true, copyOwner: options.copyOwner });
    await shown.done(`${container}:${destination.path}`);
  };
  if (source === "-") {
    if (target.kind !== "folder") throw new Error(`destination "${container}:${destination.path}" must be a directory`);
    await put(target.path, around.stdin);
    return;
  }
  const { base, isFolder, path } = await sourceAt(source, options.followLink);
  const { folder, name } = placeOf({ base, isFolder }, target);
  await put(folder, pack(path, name));
}

/** What is at the destination; a symlink counts as what it leads to. */
async function targetIn(
  around: Surroundings,
  { container, path }: { readonly container: string; readonly path: string },
): Promise<CopyTarget> {
  const { containers } = await around.client();
  const look = async (at: string): ReturnType<typeof containers.statPath> => await containers.statPath(container, at);
  let at = path;
  try {
    let facts = await look(at);
    if (facts.kind === "symlink") {
      at = facts.linkTarget;
      facts = await look(at);
    }
    if (facts.kind === "other")
      throw new Error(`destination "${container}:${path}" must be a directory or a regular file`);
    return { path: at, kind: facts.kind === "directory" ? "folder" : "other" };
  } catch (error) {
    // The engine itself says what is wrong when the archive comes.
    if (error instanceof EngineFault) return { path: at, kind: "absent" };
    throw error;
  }
}

async function sourceAt(
  source: string,
  followLink: boolean,
): Promise<{ readonly base: string; readonly isFolder: boolean; readonly path: string }> {
  const plain = resolve(source);
  const base = isCurrentFolder(source) ? "." : splitPath(plain).base;
  const facts = await lstat(asksForFolder(source) ? `${plain}/.` : plain).catch((error: unknown) => {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "no such file or directory" : message;
    throw new Error(`lstat ${plain}: ${reason}`, { cause: error });
  });
  const follows = facts.isSymbolicLink() ? followLink : asksForFolder(source);
  const path = follows ? await realpath(plain) : resolve(await realpath(dirname(plain)), splitPath(plain).base);
  const isFolder = follows ? (await lstat(path)).isDirectory() : facts.isDirectory();
  return { base, isFolder, path: plain === "/" ? "/" : path };
}
