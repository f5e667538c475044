import { Fault } from "#core/fault";
import type { Shim } from "#host";
import type { RootChange } from "./images.ts";
import { listTree, type ListedTree } from "./list-tree.ts";

/** The three views that a container's changes show in. */
export interface ChangedRoot {
  /** What was written: the files of the writable layer. */
  readonly upper: ListedTree;
  /** The image without it. */
  readonly before: ListedTree;
  /** The root as it is now. */
  readonly now: ListedTree;
}

/** One thing in a folder: find's letter for its type, and (for folders) what a change of it would change. */
interface Entry {
  readonly type: string;
  readonly facts: string;
}

/** Entries by the folder they lie in (`.`, `./etc`), then by name; bytes as latin1. */
export type Listing = ReadonlyMap<string, ReadonlyMap<string, Entry>>;

/** What was found: of the root as it is now only which paths there are. */
interface Listings {
  readonly upper: Listing;
  readonly before: Listing;
  readonly now: ReadonlySet<string>;
}

/** More paths are no list for a person. Deeper than that nothing can be reached by its path. */
const maxListedChars = 64 * 1024 * 1024;
const maxDepth = "2048";
const format = String.raw`%p\0%y\0%m %U %G %T@\0`;

/** Lists what differs; only folders that something was written in are looked at. At most three runs of find(1). */
export async function rootChanges(shim: Shim, root: ChangedRoot): Promise<RootChange[]> {
  const upper = await readListing(listTree(shim, root.upper, { tests: ["-maxdepth", maxDepth], format }));
  const folders = [...upper.keys()];
  const [before, now] = await Promise.all([
    readListing(listTree(shim, root.before, { format, folders })),
    readPaths(listTree(shim, root.now, { format: String.raw`%p\0`, folders })),
  ]);
  return compareListings({ upper, before, now });
}

async function readPaths(records: AsyncIterable<string[]>): Promise<ReadonlySet<string>> {
  const paths = new Set<string>();
  for await (const [path = ""] of records) paths.add(path);
  return paths;
}

async function readListing(records: AsyncIterable<string[]>): Promise<Listing> {
  const listing = new Map<string, Map<string, Entry>>([[".", new Map()]]);
  let chars = 0;
  for await (const [path = "", type = "", facts = ""] of records) {
    chars += path.length + facts.length;
    if (chars > maxListedChars) throw new Fault("tooLarge", "too many files differ from the image to be listed");
    const slash = path.lastIndexOf("/");
    const folder = path.slice(0, slash);
    const entries = listing.get(folder) ?? new Map<string, Entry>();
    listing.set(folder, entries.set(path.slice(slash + 1), { type, facts }));
    if (type === "d" && !listing.has(path)) listing.set(path, new Map());
  }
  return listing;
}

/**
 * The changes, as Docker tells them, sorted by path: what is new is added with all in it; of what is gone only the top is
 * told; a folder is modified when something in it changed, or its owner, mode or time; any other file when it was written.
 */
export function compareListings({ upper, before, now }: Listings): RootChange[] {
  const changes = new Map<string, RootChange["kind"]>();
  visit(".", true);
  return [...changes]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([path, kind]) => ({ path: Buffer.from(path.slice(1), "latin1").toString("utf8"), kind }));

  /** Answers whether something in the folder changed. */
  function visit(folder: string, wasFolder: boolean): boolean {
    const written = upper.get(folder) ?? none;
    const old = wasFolder ? (before.get(folder) ?? none) : none;
    let changed = false;
    for (const name of new Set([...written.keys(), ...old.keys()])) {
      const path = `${folder}/${name}`;
      const kind = kindOf(written.get(name), old.get(name), now.has(path));
      if (kind !== undefined) changes.set(path, kind);
      const changedInside = written.get(name)?.type === "d" && visit(path, old.get(name)?.type === "d");
      if (changedInside && kind === undefined) changes.set(path, "modified");
      changed ||= changedInside || kind !== undefined;
    }
    return changed;
  }
}

const none: ReadonlyMap<string, Entry> = new Map();

/** What happened to one name, without what lies below it. */
function kindOf(written: Entry | undefined, old: Entry | undefined, isThere: boolean): RootChange["kind"] | undefined {
  // Of a folder that was removed and made anew, overlayfs keeps no mark for each thing that was in it.
  if (written === undefined) return isThere ? undefined : "deleted";
  // A character device that cannot be seen is overlayfs' mark of a removal.
  if (written.type === "c" && !isThere) return old === undefined ? undefined : "deleted";
  if (old === undefined) return "added";
  return written.type === "d" && old.type === "d" && written.facts === old.facts ? undefined : "modified";
}
