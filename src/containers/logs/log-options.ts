import type { MonitorStart } from "#host";
import { parseSize } from "../config/checks.ts";
import type { ContainerSpec } from "../containers.ts";

/** How the shim keeps a container's log; rotation is on unless `max-size=-1` turns it off. */
export function logOptions({ driver, options }: ContainerSpec["logging"]): Omit<MonitorStart["log"], "dir"> {
  const maxSize = options["max-size"];
  return {
    maxSizeBytes: maxSize === "-1" ? 0 : (parseSize(maxSize ?? "") ?? defaultSizeBytes),
    maxFiles: Number(options["max-file"] ?? defaultFiles),
    inMemory: driver === "none",
  };
}

const defaultSizeBytes = 20 * 1024 * 1024;
const defaultFiles = 5;
