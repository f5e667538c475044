import type { MonitorStart } from "#host";
import { parseSize } from "#core/size";
import type { ContainerSpec } from "../containers.ts";

/** What a driver may keep: so many files of so many bytes. */
export interface LogBudget {
  /** Undefined: no bound (`max-size=-1`). */
  readonly sizeBytes: number | undefined;
  readonly files: number;
}

/** The bounds that were asked for; 5 files of 20 MiB where nothing was said, so that no log fills a disk. */
export function logBudget({ driver, options }: ContainerSpec["logging"]): LogBudget {
  // Of a driver that sends away, these are the bounds of what is kept here: Docker's "cache".
  const prefix = driver === "syslog" || driver === "fluentd" ? "cache-" : "";
  const size = options[`${prefix}max-size`];
  return {
    sizeBytes: size === "-1" ? undefined : (parseSize(size ?? "") ?? defaultSizeBytes),
    files: Number(options[`${prefix}max-file`] ?? defaultFiles),
  };
}

/**
 * How the shim keeps a container's log. Its segments are smaller than the files asked for, and so many more: a place in one
 * is then found by reading it, in milliseconds. A single file becomes two halves, so that its rotation leaves something.
 */
export function logOptions(logging: ContainerSpec["logging"]): Omit<MonitorStart["log"], "dir"> {
  const { sizeBytes, files } = logBudget(logging);
  const inMemory = logging.driver === "none";
  if (sizeBytes === undefined) return { maxSizeBytes: segmentBytes, maxFiles: mostSegments, inMemory };
  const pieces = Math.max(Math.ceil(sizeBytes / segmentBytes), files === 1 ? 2 : 1);
  return {
    maxSizeBytes: Math.ceil(sizeBytes / pieces),
    maxFiles: Math.min(files * pieces, mostSegments),
    inMemory,
  };
}

const defaultSizeBytes = 20 * 1024 * 1024;
const defaultFiles = 5;
const segmentBytes = 16 * 1024 * 1024;
/** As many as the shim knows of, less the one that it begins before it drops another. */
const mostSegments = 8191;
