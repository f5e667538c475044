import { posix } from "node:path";
import { tarHeader } from "#core/tar";
import type { SelectedItem } from "../files/files.ts";

/** A document of the Dockerfile as a file to copy: mode 0644, root's. */
export function textItem(name: string, text: string, timeNs: bigint): SelectedItem {
  const bytes = Buffer.from(text);
  return {
    path: name,
    name: posix.basename(name),
    kind: "file",
    async *entries() {
      const header = tarHeader({ type: "file", path: "", sizeBytes: bytes.length, mtimeNs: timeNs });
      yield await Promise.resolve({ header, data: oneOf(bytes) });
    },
  };
}

async function* oneOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield await Promise.resolve(bytes);
}
