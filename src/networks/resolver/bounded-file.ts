import { appendFileSync, renameSync, statSync } from "node:fs";

/** Appends lines to a file; when it passes `maxBytes` it becomes `FILE.1`, in the place of the one before, and a new one begins. Trouble with the file is nobody's: nothing throws. */
export function openBoundedFile(path: string, maxBytes: number): (line: string) => void {
  return (line) => {
    try {
      if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) + line.length > maxBytes)
        renameSync(path, `${path}.1`);
      appendFileSync(path, line.slice(0, maxBytes), { mode: 0o600 });
    } catch {
      // The log is for a person; names are answered without it.
    }
  };
}
