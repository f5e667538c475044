import { lstat, readlink, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { type Surroundings, write } from "../surroundings.ts";
import { asksForFolder, type CopyTarget, isCurrentFolder, placeOf, renamed, splitPath } from "./copy-paths.ts";
import { showCopied } from "./copy-progress.ts";
import { unpack } from "./unpack.ts";

const followedLinks = 10;

/** Copies out of a container, to a path of this machine or (`-`) as a tar to stdout. */
export async function copyFromContainer(
  around: Surroundings,
  source: { readonly container: string; readonly path: string },
  destination: string,
  options: { readonly followLink: boolean; readonly quiet: boolean },
): Promise<void> {
  const { containers } = await around.client();
  const target = destination === "-" ? undefined : await targetAt(destination);
  const path = options.followLink ? await behindLink(around, source) : source.path;
  const { facts, archive } = await containers.getArchive(source.container, path);
  if (target === undefined) {
    for await (const bytes of archive) await write(around.stdout, bytes);
    return;
  }
  const isFolder = facts.kind === "directory";
  // A followed link's copy has the link's name, unless only its contents are meant.
  const base = isCurrentFolder(source.path) ? "." : splitPath(source.path).base;
  const shown = showCopied(around, "Copying from container - ", options.quiet, archive);
  const { folder, name } = placeOf({ base, isFolder }, target);
  await unpack(shown.bytes, folder, {
    rename: (entry) => renamed(entry, facts.name, name === "/" ? "." : name),
    skipped: (entry) => void around.stderr.write(`skipped ${entry}: a device or pipe\n`),
  });
  await shown.done(destination);
}

/** The path behind a symlink; the path itself when it is none, or is not there (the copy then says so). */
async function behindLink(
  around: Surroundings,
  source: { readonly container: string; readonly path: string },
): Promise<string> {
  const { containers } = await around.client();
  const facts = await containers.statPath(source.container, source.path).catch(() => undefined);
  return facts?.kind === "symlink" ? facts.linkTarget : source.path;
}

/** What is at the destination, symlinks followed; its folder must be there. Throws an Error in Docker's words. */
async function targetAt(destination: string): Promise<CopyTarget> {
  const ending = isCurrentFolder(destination) ? "/." : destination.endsWith("/") ? "/" : "";
  const plain = resolve(destination);
  const parent = await stat(dirname(plain)).catch(() => undefined);
  if (parent?.isDirectory() !== true)
    throw new Error(`invalid output path: directory "${dirname(plain)}" does not exist`);
  let path = plain;
  for (let links = 0; ; links++) {
    const facts = await lstat(path).catch(ignoreMissing);
    if (facts === undefined) return { path: `${path}${ending}`, kind: "absent" };
    if (facts.isDirectory()) return { path, kind: "folder" };
    if (facts.isSymbolicLink()) {
      if (links === followedLinks) throw new Error(`too many symlinks in ${plain}`);
      path = resolve(dirname(path), await readlink(path));
      continue;
    }
    if (!facts.isFile()) throw new Error(`invalid output path: ${path} must be a directory or a regular file`);
    if (asksForFolder(destination)) throw new Error("not a directory");
    return { path, kind: "other" };
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
