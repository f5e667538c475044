import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Writes a file that is whole or absent: beside first, then renamed. The folder is tried before the engine is asked; `failure` begins the message when it cannot be written to. */
export async function writeWhole(
  path: string,
  failure: string,
  fetch: () => Promise<AsyncIterable<Uint8Array>>,
): Promise<void> {
  const partial = `${path}.partial-${process.pid}`;
  const file = await open(partial, "wx", 0o600).catch((error: unknown) => {
    const { code, message } = error as Error & { code?: string };
    const reason = code === "ENOENT" ? `stat ${dirname(path)}: no such file or directory` : message;
    throw new Error(`${failure}: invalid output path: ${reason}`, { cause: error });
  });
  try {
    for await (const bytes of await fetch()) await file.writeFile(bytes);
    await file.close();
    await rename(partial, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw error;
  }
}
