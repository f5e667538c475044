import { Fault } from "#core/fault";
import { tidyPath } from "../config/process.ts";

/** The path as Docker reads it: from the root on, `..` applied, a trailing slash or `/.` kept (it asks for what is behind a symlink). Fault `invalid` for one that no file can have. */
export function cleanPath(path: string): string {
  if (path.includes("\0")) throw new Fault("invalid", "invalid path: it holds a NUL byte");
  const clean = tidyPath(path);
  if (clean === "/") return clean;
  return /(?:^|\/)\.$/.test(path) ? `${clean}/.` : path.endsWith("/") ? `${clean}/` : clean;
}

/** The last part of a clean path as Go's filepath.Base has it: `.` of `/a/.`, `/` of the root. */
export function baseOf(path: string): string {
  return path.replace(/\/+$/, "").split("/").at(-1) || "/";
}

/** A clean path's folder. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
