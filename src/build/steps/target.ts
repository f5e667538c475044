import { Fault } from "#core/fault";
import { nameBytes, tarHeader, type TarHeader, utf8Name } from "#core/tar";
import { type BaseFiles } from "./base-files.ts";
import type { Owner } from "./owner.ts";

/** Where a path leads in the files below, symlinks followed with no way out of the root. */
export interface Followed {
  /** Names that pass through no symlink. */
  readonly names: readonly string[];
  /** How many of them are there. */
  readonly there: number;
  readonly kind: "directory" | "other" | "missing";
}

/** Follows a path as a program in the root would; a link that leads to nothing leads to where it says. Fault `invalid` when something on the way is no directory, or links go in circles. */
export async function follow(base: BaseFiles, names: readonly string[]): Promise<Followed> {
  let left = names;
  for (let links = 0; links < followedLinks; links++) {
    const paths = left.map((_, index) => left.slice(0, index + 1).join("/"));
    const found = await base.look(paths);
    const stop = paths.findIndex((path) => found.get(path)?.kind !== "directory");
    if (stop < 0) return { names: left, there: left.length, kind: "directory" };
    const file = found.get(paths[stop] ?? "");
    if (file === undefined) return { names: left, there: stop, kind: "missing" };
    if (file.kind !== "symlink") {
      if (stop < left.length - 1) throw notDirectory(paths[stop] ?? "");
      return { names: left, there: left.length, kind: "other" };
    }
    left = [...pathNames(file.linkPath, left.slice(0, stop)), ...left.slice(stop + 1)];
  }
  throw new Fault("invalid", `too many symbolic links: /${utf8Name(names.join("/"))}`);
}

/** The names of a path, `.` and `..` applied and never above the root; relative ones count from `from`. */
export function pathNames(path: string, from: readonly string[] = []): string[] {
  const names = path.startsWith("/") ? [] : [...from];
  for (const name of path.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return names;
}

/** Where an instruction puts its files, and the directories that lead there. */
export interface Target {
  /** Empty: the root. */
  readonly path: string;
  readonly kind: Followed["kind"];
  /** Those above it that are there, and itself if it is a directory, with the looks that they have; the root is not among them. */
  readonly existing: readonly TarHeader[];
  /** Those above it that are to be made. */
  readonly missing: readonly string[];
}

/** Finds the target of an instruction in the files below. */
export async function findTarget(base: BaseFiles, text: string): Promise<Target> {
  const { names, there, kind } = await follow(base, pathNames(nameBytes(text)));
  const paths = names.map((_, index) => names.slice(0, index + 1).join("/"));
  const folders = paths.slice(0, kind === "other" ? there - 1 : there);
  const headers = await base.headers(folders);
  return {
    path: names.join("/"),
    kind,
    existing: folders.flatMap((path) => headers.get(path) ?? []).map((header) => asEntry(header)),
    missing: kind === "missing" ? paths.slice(there, -1) : [],
  };
}

/** A directory that no source describes. */
export function madeFolder(path: string, owner: Owner | undefined, mtimeNs: bigint): TarHeader {
  return tarHeader({ type: "directory", path: `${path}/`, mtimeNs: wholeSeconds(mtimeNs), ...owner });
}

/** A directory of the files below as an entry of the layer: it stays what it is. */
export function asEntry(header: TarHeader): TarHeader {
  const path = `${header.path.replace(/^\.\//, "").replace(/\/$/, "")}/`;
  const { mtimeNs, pax } = header;
  return { ...header, path, mtimeNs: wholeSeconds(mtimeNs), userName: "", groupName: "", pax: keptAttributes(pax) };
}

/** A time as layers have it: BuildKit's too are of whole seconds, and so no entry needs an extended header for it. */
export function wholeSeconds(timeNs: bigint): bigint {
  return timeNs - (((timeNs % secondNs) + secondNs) % secondNs);
}

const secondNs = 1_000_000_000n;

/** Extended attributes that mean something elsewhere: labels of security modules and overlayfs's own do not. */
export function keptAttributes(pax: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  if (pax.size === 0) return pax;
  return new Map(
    [...pax].filter(([keyword]) => /^SCHILY\.xattr\.(?!trusted\.)(?!security\.(?!capability$))/.test(keyword)),
  );
}

export function notDirectory(path: string): Fault {
  return new Fault("invalid", `cannot copy to non-directory: /${utf8Name(path)}`, {
    remedy: "Choose another target, or remove what is there in a step before.",
  });
}

const followedLinks = 255;
