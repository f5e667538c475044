import type { Digest } from "#core/digest";
import type { TarEntry } from "#core/tar-read";

/**
 * A tree of files that instructions take from: a context (a folder, an unpacked archive, a git checkout) or the files of a
 * stage or image. No symlink in it leads out of it, and nothing is read before it is asked for.
 */
export interface FileTree extends AsyncDisposable {
  /** Said in errors and progress: `context`, `stage build`, `image alpine:3.20`. */
  readonly name: string;
  /** A small file, symlinks followed inside the tree, also one that the ignore file leaves out; undefined when there is none. Fault `tooLarge`. */
  read(path: string, limitBytes: number, signal: AbortSignal): Promise<Buffer | undefined>;
  /** What the patterns of one instruction choose. Fault `notFound` in BuildKit's words for a pattern that must match and matches nothing. */
  select(selection: Selection, signal: AbortSignal): Promise<Selected>;
}

/** Sources as an instruction names them, expanded. */
export interface Selection {
  /** Paths or patterns (as Go's filepath.Match; with `parents` also `**`); absolute ones are of the tree's root. */
  readonly patterns: readonly string[];
  /** `--exclude`; patterns as in .dockerignore, against the path below each source, and against the name of what a pattern found. */
  readonly excludes: readonly string[];
  /** `--parents`: what is chosen keeps its path; `/./` says from where. */
  readonly parents: boolean;
}

export interface Selected {
  /** Each thing that a pattern matched, sorted within its pattern; in the patterns' order. With `parents`: one folder for each pattern. None: patterns matched nothing. */
  readonly items: readonly SelectedItem[];
  /**
   * Of everything chosen: names below the items (and of the items that a pattern found), contents, kinds, modes, owners, link
   * targets, attributes; never of times, never of names above, and of a folder that is a source itself nothing but what is in
   * it. Reads what has not been read since it changed.
   */
  digest(signal: AbortSignal): Promise<Digest>;
  /** By path: what each file's part in the digest was, to tell later which one changed. At most some thousands; undefined beyond. */
  parts(signal: AbortSignal): Promise<ReadonlyMap<string, string> | undefined>;
}

/** What one source is: the target of a symlink that was named itself. */
export interface SelectedItem {
  /** Path in the tree, without a slash at its start; empty: the root. */
  readonly path: string;
  /** Last part of the path as it was named or found; empty: the root, and with `parents`. */
  readonly name: string;
  /** `directory`: what is in it is copied, not itself; with `parents` the folder from where on paths are kept. `other`: a pipe or a device. */
  readonly kind: "file" | "directory" | "other";
  /**
   * Itself (with an empty path) and all below it, parents first, sorted; paths are relative to it, as latin1 (see TarHeader).
   * Owners and modes as they are in the tree (those of contexts: 0:0). Another name of a file that came already is a `hardlink`,
   * its `linkPath` relative to the item too. The data of each entry is read before the next one is asked for. Files that have
   * changed since the digest was made are a Fault `conflict`, at the latest when the entry after them is asked for.
   */
  entries(signal: AbortSignal): AsyncIterable<TarEntry>;
}
