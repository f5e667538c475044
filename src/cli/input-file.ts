import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";

/** A file's bytes; opened before anything is sent, so that a missing file is said at once. Throws an Error in Docker's words. */
export async function openInput(path: string): Promise<AsyncIterable<Uint8Array>> {
  try {
    const file = await open(path);
    return createReadStream(path, { fd: file });
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    throw new Error(`open ${path}: ${code === "ENOENT" ? "no such file or directory" : message}`, { cause: error });
  }
}
