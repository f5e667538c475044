import { chmod, open, utimes } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#core/fault";
import { escapeGlob } from "#core/ignore/glob";
import { openArchive, type Uploaded } from "./archive-context.ts";
import { bytesOf } from "./byte-path.ts";
import type { Downloads } from "./downloads.ts";
import type { FileTree } from "./files.ts";
import { openFolderTree } from "./folder-tree.ts";
import { checkOut } from "./git-checkout.ts";
import { openGit } from "./git-program.ts";
import { checksumOf, type GitUrl, parseGitUrl, withoutCredentials } from "./git-url.ts";
import { isHttpUrl } from "./http-get.ts";
import type { FilesWiring, WholeTree } from "./open-tree.ts";
import { resolve } from "./resolve.ts";
import { makeScratch, type Scratch } from "./scratch.ts";
import { TreeProgram } from "./tree-program.ts";

/** What files from elsewhere are made with. */
export interface RemoteWiring extends FilesWiring {
  readonly scratchFolder: string;
  readonly downloads: Downloads;
  /** For HTTP_PROXY and its kin. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** A file that was fetched. */
export interface FetchedFile {
  /** It alone. */
  readonly tree: FileTree;
  readonly fileName: string;
  /** Chooses it. */
  readonly pattern: string;
}

export interface GitOptions {
  readonly keepGitDir: boolean;
  /** A commit, or how it begins, that it must be. */
  readonly checksum?: string;
  /** Path of an SSH agent's socket, for `git@…` and `ssh://…`. */
  readonly sshAgent?: string;
}

/** Opens a context by URL: a git repository, an archive, or a Dockerfile alone. Fault `invalid` for what is none of them. */
export async function openRemote(
  wiring: RemoteWiring,
  url: string,
  options: { readonly name: string; readonly sshAgent?: string },
  signal: AbortSignal,
): Promise<Uploaded> {
  const { name } = options;
  const git = parseGitUrl(url, { short: true });
  if (git !== undefined)
    return {
      kind: "tree",
      tree: await openCheckout(wiring, git, { ...options, keepGitDir: git.keepGitDir ?? false }, signal),
    };
  if (!isHttpUrl(url))
    throw new Fault("invalid", `${withoutCredentials(url)}: neither a git repository nor an http or https URL`);
  await using scratch = await makeScratch(wiring.shim, wiring.scratchFolder);
  const { fileName } = await wiring.downloads.fetch(url, scratch.path, signal);
  // What it is, its bytes tell: servers' words for types are many.
  return await openArchive(wiring, wiring.scratchFolder, piecesOf(join(scratch.path, fileName)), name, signal);
}

/** What is at a URL, as one file that only root may read (mode 0600, as BuildKit's ADD has it). Fault `invalid` when its digest is another one than `checksum` (`sha256:…`). */
export async function fetchUrl(
  wiring: RemoteWiring,
  url: string,
  options: { readonly checksum?: string },
  signal: AbortSignal,
): Promise<FetchedFile> {
  const { checksum } = options;
  if (checksum !== undefined && !/^sha256:[0-9a-f]{64}$/.test(checksum))
    throw new Fault("invalid", `invalid checksum ${JSON.stringify(checksum)}: sha256: and 64 hex digits are`);
  await using undo = new AsyncDisposableStack();
  const scratch = undo.use(await makeScratch(wiring.shim, wiring.scratchFolder));
  const { fileName, sha256, modifiedSeconds } = await wiring.downloads.fetch(url, scratch.path, signal);
  if (checksum !== undefined && checksum !== `sha256:${sha256}`)
    throw new Fault("invalid", `digest mismatch sha256:${sha256}: ${checksum}`);
  await chmod(join(scratch.path, fileName), 0o600);
  await utimes(join(scratch.path, fileName), modifiedSeconds, modifiedSeconds);
  const tree = await openFolderTree(wiring, scratch.path, {
    name: withoutCredentials(url),
    dispose: disposeOf(scratch),
  });
  undo.move();
  return { tree, fileName, pattern: escapeGlob(fileName) };
}

/** The files of a git repository at a commit. Fault `invalid` for what is no URL of one, or another commit than `checksum`. */
export async function checkoutGit(
  wiring: RemoteWiring,
  url: string,
  options: GitOptions,
  signal: AbortSignal,
): Promise<FileTree> {
  const git = parseGitUrl(url, { short: false });
  if (git === undefined) throw new Fault("invalid", `${withoutCredentials(url)} is no URL of a git repository`);
  const name = withoutCredentials(url);
  const keepGitDir = git.keepGitDir ?? options.keepGitDir;
  return await openCheckout(wiring, git, { ...options, name, keepGitDir }, signal);
}

async function openCheckout(
  wiring: RemoteWiring,
  asked: GitUrl,
  options: GitOptions & { readonly name: string },
  signal: AbortSignal,
): Promise<WholeTree> {
  const { name, keepGitDir, checksum, sshAgent } = options;
  const url = checksum === undefined ? asked : { ...asked, checksum: checksumOf(checksum) };
  await using undo = new AsyncDisposableStack();
  const scratch = undo.use(await makeScratch(wiring.shim, wiring.scratchFolder));
  const { environment } = wiring;
  const reach = { environment, ...(sshAgent !== undefined && { sshAgent }) };
  const git = openGit(wiring.shim, url.remote, reach, signal);
  await checkOut(git, scratch.path, url, keepGitDir);
  const folder = await folderIn(wiring, join(scratch.path, "work"), url, signal);
  const tree = await openFolderTree(wiring, folder, { name, dispose: disposeOf(scratch) });
  undo.move();
  return tree;
}

/** The subdirectory, wherever symlinks inside the checkout lead to. */
async function folderIn(wiring: RemoteWiring, work: string, url: GitUrl, signal: AbortSignal): Promise<string> {
  if (url.subdir === "") return work;
  await using program = await TreeProgram.start(wiring.shim, { tree: work }, signal);
  const found = await resolve(program, bytesOf(url.subdir), () => true);
  if (found?.facts.type !== "directory")
    throw new Fault("notFound", `${withoutCredentials(url.remote)} has no folder ${JSON.stringify(url.subdir)}`);
  return join(work, Buffer.from(found.path, "latin1").toString());
}

function disposeOf(scratch: Scratch): () => Promise<void> {
  return async () => await scratch[Symbol.asyncDispose]();
}

async function* piecesOf(path: string): AsyncGenerator<Uint8Array, void, void> {
  await using file = await open(path, "r");
  for await (const piece of file.createReadStream({ autoClose: false })) yield piece as Buffer;
}
