import { Fault } from "#core/fault";
import { diskSizeOf } from "#host";
import type { ContainerSpec } from "../containers.ts";

/** The bound of a container's writable layer (`--storage-opt size=1g`), in bytes; undefined without one. Faults: `invalid` in Docker's words. */
export function rootSizeOf(options: ContainerSpec["storageOptions"]): number | undefined {
  const other = Object.keys(options).find((name) => name.toLowerCase() !== "size");
  if (other !== undefined) throw new Fault("invalid", `Unknown option ${other.slice(0, 100)}`);
  const [text] = Object.values(options);
  return text === undefined ? undefined : diskSizeOf(text);
}
