import { Fault } from "#core/fault";
import type { ContainerSpec } from "../containers.ts";
import { parseSize } from "./size.ts";

/** The bound of a container's writable layer (`--storage-opt size=1g`), in bytes; undefined without one. Faults: `invalid` in Docker's words. */
export function rootSizeOf(options: ContainerSpec["storageOptions"]): number | undefined {
  const other = Object.keys(options).find((name) => name.toLowerCase() !== "size");
  if (other !== undefined) throw new Fault("invalid", `Unknown option ${other.slice(0, 100)}`);
  const [text] = Object.values(options);
  if (text === undefined) return undefined;
  const bytes = parseSize(text);
  if (bytes === undefined) throw new Fault("invalid", `invalid size: '${text.slice(0, 100)}'`);
  if (bytes >= leastBytes && bytes <= mostBytes) return bytes - (bytes % 4096);
  throw new Fault("invalid", `invalid size: '${text.slice(0, 100)}' is not between 16m and 16t`, {
    remedy: "A file system of its own holds what the container writes: choose a size for it in that range.",
  });
}

/** Less holds no journal, more no ext4 of the usual block size. */
const leastBytes = 16 * 2 ** 20;
const mostBytes = 16 * 2 ** 40;
