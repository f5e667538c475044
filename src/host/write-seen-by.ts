import { chownSync, writeFileSync } from "node:fs";

/** A file that is to be made, with its owner as the host has it. */
export interface SeenFile {
  /** Absolute; nothing of that name is there. No part of it may be anybody else's to change. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Makes a file where a process sees that path, in its own mount namespace: on a file system that nobody else has. */
export function writeSeenBy(pid: number, { path, bytes, mode, uid, gid }: SeenFile): void {
  const seen = `/proc/${pid}/root${path}`;
  writeFileSync(seen, bytes, { mode: mode & 0o777, flag: "wx" });
  chownSync(seen, uid, gid);
}
