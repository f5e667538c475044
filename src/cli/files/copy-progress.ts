import { humanSize } from "../output/size.ts";
import { type Surroundings, write } from "../surroundings.ts";

const shownEveryMs = 100;

/** Passes an archive on and shows on stderr how much has gone by; with `quiet` it shows nothing. */
export function showCopied(
  around: Surroundings,
  words: string,
  quiet: boolean,
  archive: AsyncIterable<Uint8Array>,
): { readonly bytes: AsyncIterable<Uint8Array>; readonly done: (destination: string) => Promise<void> } {
  if (quiet) return { bytes: archive, done: async () => undefined };
  let copiedBytes = 0;
  async function* counted(): AsyncGenerator<Uint8Array, void, void> {
    let shownAt = -Infinity;
    for await (const piece of archive) {
      copiedBytes += piece.length;
      const now = performance.now();
      if (around.stderr.isTTY && now - shownAt >= shownEveryMs) {
        shownAt = now;
        await write(around.stderr, `\r\u001B[K${words}${humanSize(copiedBytes)}`);
      }
      yield piece;
    }
  }
  return {
    bytes: counted(),
    done: async (destination) => {
      const start = around.stderr.isTTY ? "\r\u001B[K" : "";
      await write(around.stderr, `${start}Successfully copied ${humanSize(copiedBytes)} to ${destination}\n`);
    },
  };
}
