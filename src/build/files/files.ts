import type { Digest } from "#core/digest";
import type { TarEntry } from "#core/tar-read";

/**
 * A tree of files that instructions take from: a context (a folder, an unpacked archive, a git checkout) or the files of a
 * stage or image. No symlink in it leads out of it, and nothing is read before it is asked for.
 */
export interface FileTree extends AsyncDisposable {
  /** Said in errors and progress: `context`, `stage build`, `image alpine:3.20`. */
  readonly name: string;
  /** A small file, symlinks followed inside the tree; undefined when there is none. Fault `tooLarge`. */
  read(path: string, limitBytes: number): Promise<Buffer | undefined>;
  /** What the patterns of one instruction choose. Fault `notFound` in BuildKit's words for a pattern that must match and matches nothing. */
  select(selection: Selection, signal: AbortSignal): Promise<Selected>;
}

/** Sources as an instruction names them, expanded. */
export interface Selection {
  /** Paths or patterns (as Go's filepath.Match, with `**`); absolute ones are of the tree's root. */
  readonly patterns: readonly string[];
  /** `--exclude`; patterns as in .dockerignore, against the path below each source. */
  readonly excludes: readonly string[];
  /** `--parents`: what is chosen keeps its path; `/./` says from where. */
  readonly parents: boolean;
}

export interface Selected {
  /** Each thing that a pattern matched, sorted within its pattern; in the patterns' order. */
  readonly items: readonly SelectedItem[];
  /**
   * Of everything chosen: names below the items, contents, kinds, modes, owners, link targets, attributes; never of times,
   * and never of names above. Reads what has not been read since it changed.
   */
  digest(signal: AbortSignal): Promise<Digest>;
  /** By path: what each file's part in the digest was, to tell later which one changed. At most some thousands; undefined beyond. */
  parts(signal: AbortSignal): Promise<ReadonlyMap<string, string> | undefined>;
}

/** What one source is: the target of a symlink that was named itself. */
export interface SelectedItem {
  /** Path in the tree, without a slash at its start; empty: the root. */
  readonly path: string;
  /** Last part of the path as it was named; with `parents`, what the target's path ends with. */
  readonly name: string;
  readonly kind: "file" | "directory" | "symlink" | "other";
  /**
   * Itself (with an empty path) and all below it, parents first, sorted; paths relative to it. Owners and modes as they are in the tree (those of contexts: 0:0).
   * Files that have changed since the digest was made are a Fault `conflict`.
   */
  entries(signal: AbortSignal): AsyncIterable<TarEntry>;
}
