/** A path's folder and last part, as Docker splits it: `/a/.` is `/a` and `.`, `/a/b/` is `/a` and `b`. */
export function splitPath(path: string): { readonly folder: string; readonly base: string } {
  const clean = cleaned(path);
  if (isCurrentFolder(path)) return { folder: clean, base: "." };
  const slash = clean.lastIndexOf("/");
  if (clean === "/") return { folder: "/", base: "/" };
  return { folder: clean.slice(0, slash) || (slash === 0 ? "/" : "."), base: clean.slice(slash + 1) };
}

/** Whether the last part is `.`: the contents are meant. */
export function isCurrentFolder(path: string): boolean {
  return path === "." || path.endsWith("/.");
}

/** Whether only a folder can be meant. */
export function asksForFolder(path: string): boolean {
  return path.endsWith("/") || isCurrentFolder(path);
}

/** What is copied. */
export interface CopySource {
  /** The name of the topmost entry in its archive. */
  readonly base: string;
  readonly isFolder: boolean;
}

/** Where it goes: a path, and what is there. */
export interface CopyTarget {
  readonly path: string;
  readonly kind: "absent" | "folder" | "other";
}

/**
 * The folder that the archive is unpacked in, and what its topmost entry is called there (docker cp's rules). Throws an
 * Error in Docker's words where they do not fit.
 */
export function placeOf(source: CopySource, target: CopyTarget): { readonly folder: string; readonly name: string } {
  const { folder, base } = splitPath(target.path);
  if (target.kind === "folder") return { folder: target.path, name: source.base };
  if (target.kind === "other" && source.isFolder) throw new Error("cannot copy directory");
  if (target.kind === "absent" && !source.isFolder && asksForFolder(target.path)) throw new Error("no such directory");
  // A folder that is not there takes the last part of the path that it was given, dot or not.
  if (base === ".") {
    const parent = splitPath(folder);
    return { folder: parent.folder, name: parent.base };
  }
  return { folder, name: base };
}

/** An entry's name with another first part; the root's entries begin with a slash. */
export function renamed(path: string, from: string, to: string): string {
  if (from === to) return path;
  if (from === "/") return path.startsWith("/") ? `${to}${path}` : `${to}/${path}`;
  if (path === from || path.startsWith(`${from}/`)) return `${to}${path.slice(from.length)}`;
  return path;
}

/** `CONTAINER:PATH`, or a path of this machine: one that begins with a slash or a dot, or has no colon. */
export function splitArgument(text: string): { readonly container: string; readonly path: string } {
  const colon = text.indexOf(":");
  if (text.startsWith("/") || text.startsWith(".") || colon < 0) return { container: "", path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

function cleaned(path: string): string {
  const names: string[] = [];
  const isAbsolute = path.startsWith("/");
  for (const name of path.split("/")) {
    if (name === "..") {
      if (names.length > 0 && names.at(-1) !== "..") names.pop();
      else if (!isAbsolute) names.push("..");
    } else if (name !== "" && name !== ".") names.push(name);
  }
  return isAbsolute ? `/${names.join("/")}` : names.join("/") || ".";
}
