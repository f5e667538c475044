import type { IncomingHttpHeaders } from "node:http";
import { Fault } from "#core/fault";

/** What is at a path of a container. */
export interface ContainerPath {
  readonly name: string;
  readonly size: number;
  readonly mtime: string;
  /** For a symlink, the path behind it inside the container. */
  readonly linkTarget: string;
  readonly kind: "directory" | "symlink" | "file" | "other";
}

export interface PutArchiveOptions {
  /** Refuse to put a file in a folder's place, or the reverse. */
  readonly keepKinds?: boolean;
  /** Everything becomes the container user's. */
  readonly copyOwner?: boolean;
}

/** Reads the answer's header (base64 of JSON; its mode has Go's bits). Fault `internal` when it is none. */
export function pathOf(headers: IncomingHttpHeaders): ContainerPath {
  const text = String(headers["x-docker-container-path-stat"] ?? "");
  try {
    const { name, size, mode, mtime, linkTarget } = JSON.parse(Buffer.from(text, "base64").toString()) as Stat;
    return { name, size, mtime, linkTarget, kind: kindOf(mode) };
  } catch (error) {
    throw new Fault("internal", "the engine's answer does not say what the path is", { cause: error });
  }
}

interface Stat {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly mtime: string;
  readonly linkTarget: string;
}

/** By the bits of Go's os.FileMode. */
function kindOf(mode: number): ContainerPath["kind"] {
  const has = (bit: number): boolean => Math.floor(mode / 2 ** bit) % 2 === 1;
  if (has(31)) return "directory";
  if (has(27)) return "symlink";
  return [26, 25, 24, 19].some(has) ? "other" : "file";
}
