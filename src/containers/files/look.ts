import { Fault } from "#core/fault";
import type { PathFacts } from "../containers.ts";
import { baseOf } from "./paths.ts";
import type { View } from "./view.ts";

/** What a path of a container is, and where it lies. */
export interface Seen {
  readonly facts: PathFacts;
  /** Also what a symlink leads to. */
  readonly leadsToFolder: boolean;
  /** Mode's type says so of the path itself. */
  readonly isFolder: boolean;
  readonly onReadOnlyMount: boolean;
  /** Not on a volume. */
  readonly onRoot: boolean;
}

const typeBits = 0o170000;
const folderType = 0o040000;
const errors = { absent: 2, notFolder: 20, tooManyLinks: 40, nameTooLong: 36 } as const;

/** Looks at a clean path. Faults: `notFound` in Docker's words, `invalid` for a file that is used as a folder. */
export async function look(view: View, path: string, nameOrId: string, signal: AbortSignal): Promise<Seen> {
  await using program = await view.run({ argv: [path], builtin: "look", timeLimitMs: 60_000 }, signal);
  await program.end();
  const pieces: Uint8Array[] = [];
  for await (const piece of program.stdout) pieces.push(piece);
  const { code } = await program.ended;
  if (code !== 0) throw new Fault("internal", `cannot look at ${path} in container ${nameOrId}`);
  const fields = Buffer.concat(pieces).toString().split("\0");
  const [error = "", mode = "", sizeBytes, seconds = "", nanoseconds = "", behind = "", readOnly, onRoot, target] =
    fields;
  if (error !== "0") throw faultOf(Number(error), path, nameOrId);
  return {
    facts: {
      name: baseOf(path),
      sizeBytes: Number(sizeBytes),
      mode: Number(mode),
      modifiedNs: BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds),
      linkTarget: target ?? "",
    },
    isFolder: (Number(mode) & typeBits) === folderType,
    leadsToFolder: (Number(behind) & typeBits) === folderType,
    onReadOnlyMount: readOnly === "1",
    onRoot: onRoot === "1",
  };
}

function faultOf(error: number, path: string, nameOrId: string): Fault {
  switch (error) {
    case errors.absent:
      return new Fault("notFound", `Could not find the file ${path} in container ${nameOrId}`);
    case errors.notFolder:
      return new Fault("invalid", `lstat ${path}: not a directory`);
    case errors.tooManyLinks:
      return new Fault("invalid", `lstat ${path}: too many levels of symbolic links`);
    case errors.nameTooLong:
      return new Fault("invalid", `lstat ${path.slice(0, 100)}…: file name too long`);
    default:
      return new Fault("internal", `cannot look at ${path} in container ${nameOrId}: error ${error}`);
  }
}
