import { join } from "node:path";
import type { Clock } from "#core/clock";
import { findIgnoreFile, ignoreFileLimitBytes } from "#core/ignore/ignore-file";
import type { Host } from "#host";
import { openWeb } from "#images";
import type { ContextRequest } from "../build.ts";
import { openArchive, type Uploaded } from "./archive-context.ts";
import { openDownloads } from "./downloads.ts";
import { openFileDigests } from "./file-digests.ts";
import type { FileTree } from "./files.ts";
import { openFolderTree } from "./folder-tree.ts";
import { openTree } from "./open-tree.ts";
import { checkoutGit, type FetchedFile, fetchUrl, type GitOptions, openRemote, type RemoteWiring } from "./remote.ts";
import { collectScratch } from "./scratch.ts";
import type { TreePlace } from "./tree-program.ts";

/** Where a build's files come from. All trees are to be disposed of, and then itself. */
export interface BuildFiles extends Disposable {
  /**
   * Opens a context: its files, or a Dockerfile that came alone. What its ignore file leaves out is not to be chosen, but can be
   * read. Faults: `notFound`, `invalid`, `tooLarge`, `exhausted`, `unauthorized`, `unavailable`; `unsupported` where git is missing.
   */
  openContext(
    request: ContextRequest,
    options: ContextOptions,
    signal: AbortSignal,
  ): Promise<
    { readonly kind: "tree"; readonly tree: FileTree } | { readonly kind: "dockerfile"; readonly text: string }
  >;
  /** The files of a stage or image as they are, by mounts that are made for each look: `tree` is where they make the root. */
  openRoot(name: string, place: TreePlace): FileTree;
  /** For ADD: what is at an http or https URL, as one file. Fault `invalid` for another digest than `checksum`. */
  fetchUrl(url: string, options: { readonly checksum?: string }, signal: AbortSignal): Promise<FetchedFile>;
  /** For ADD: the files of a git repository. */
  checkoutGit(url: string, options: GitOptions, signal: AbortSignal): Promise<FileTree>;
}

export interface ContextOptions {
  /** Said in errors: `context`, or the name of `--build-context`. */
  readonly name: string;
  /** Path of the Dockerfile in it, whose own ignore file is looked for; undefined: it has none. */
  readonly dockerfile?: string;
  /** Path of an SSH agent's socket, for `git@…` and `ssh://…`. */
  readonly sshAgent?: string;
}

/** Opens where files come from; removes what a killed daemon left of contexts. `environment`: for HTTP_PROXY and its kin. */
export async function openBuildFiles(
  host: Pick<Host, "shim" | "database" | "paths">,
  clock: Clock,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<BuildFiles> {
  using undo = new DisposableStack();
  const web = openWeb(environment);
  undo.defer(() => web.close());
  const folder = join(host.paths.dataRoot, "build");
  const wiring: RemoteWiring = {
    shim: host.shim,
    digests: openFileDigests(host.database, clock),
    environment,
    scratchFolder: join(folder, "contexts"),
    downloads: await openDownloads(host.database, web, join(folder, "downloads"), clock),
  };
  await collectScratch(host.shim, wiring.scratchFolder);
  const held = undo.move();
  return {
    async openContext(request, options, signal) {
      const opened = await openWhole(wiring, request, options, signal);
      if (opened.kind === "dockerfile") return opened;
      await using undo = new AsyncDisposableStack();
      const tree = undo.use(opened.tree);
      const read = async (path: string): Promise<Buffer | undefined> =>
        await tree.read(path, ignoreFileLimitBytes, signal);
      const file = await findIgnoreFile(read, options.dockerfile);
      const chosen = file === undefined ? tree : tree.ignoring(file);
      undo.move();
      return { kind: "tree", tree: chosen };
    },
    openRoot: (name, place) => openTree(wiring, { name, place, owners: "kept" }),
    fetchUrl: async (url, options, signal) => await fetchUrl(wiring, url, options, signal),
    checkoutGit: async (url, options, signal) => await checkoutGit(wiring, url, options, signal),
    [Symbol.dispose]: () => held.dispose(),
  };
}

async function openWhole(
  wiring: RemoteWiring,
  request: ContextRequest,
  options: ContextOptions,
  signal: AbortSignal,
): Promise<Uploaded> {
  const { name } = options;
  switch (request.kind) {
    case "folder":
      return { kind: "tree", tree: await openFolderTree(wiring, request.path, { name }) };
    case "archive":
      return await openArchive(wiring, wiring.scratchFolder, request.bytes, name, signal);
    case "remote":
      return await openRemote(wiring, request.url, options, signal);
    case "empty":
  }
  return await openArchive(wiring, wiring.scratchFolder, noBytes, name, signal);
}

const noBytes: AsyncIterable<Uint8Array> = {
  async *[Symbol.asyncIterator]() {
    // an archive of nothing
  },
};
