import { closeSync, openSync, readSync } from "node:fs";

/** Reading is several times as fast on files that stay open, and the daemon needs descriptors for other things too. */
const maxKept = 4096;
let kept = 0;
/** No counter file is longer: memory.stat has some 2 KiB, the tables of disks and interfaces a line for each. */
const buffer = Buffer.allocUnsafe(64 * 1024);

/** A small file of the kernel's that is read again and again. */
export class KeptFile implements Disposable {
  readonly #path: string;
  #descriptor: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The text as it is now, as latin1; undefined when there is no such file, or what it tells of is gone. */
  read(): string | undefined {
    let descriptor = this.#descriptor;
    try {
      descriptor ??= openSync(this.#path, "r");
      return buffer.toString("latin1", 0, readSync(descriptor, buffer, 0, buffer.length, 0));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      // ENODEV: a group that was removed. EINVAL, ESRCH: a process that has ended.
      if (code === "ENOENT" || code === "ENODEV" || code === "ESRCH" || code === "EINVAL") return undefined;
      throw error;
    } finally {
      if (descriptor !== undefined && this.#descriptor === undefined) this.#keep(descriptor);
    }
  }

  [Symbol.dispose](): void {
    if (this.#descriptor === undefined) return;
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
    kept--;
  }

  #keep(descriptor: number): void {
    if (kept >= maxKept) return closeSync(descriptor);
    this.#descriptor = descriptor;
    kept++;
  }
}
