import { readFileSync, statSync } from "node:fs";
import { watchFile } from "#watch-file";
import { hostUpstreams, type Upstreams } from "./resolv-conf.ts";

/** The servers that the host itself asks, always those of now. */
export interface HostResolvers extends Disposable {
  now(): Upstreams;
}

const maxFileBytes = 64 * 1024;
/** A change that no watch tells of (behind a link, on a network file system) is seen this much later. */
const lookAgainMs = 1000;

/** Follows a resolv.conf. A file that cannot be read leaves things as they were; none at all means the machine itself. */
export function openHostResolvers(path: string): HostResolvers {
  let upstreams = hostUpstreams("");
  let seen = "";
  let lookedMs = -Infinity;
  const look = (): void => {
    lookedMs = performance.now();
    const mark = markOf(path);
    if (mark === seen) return;
    const text = mark === undefined ? "" : read(path);
    if (text === undefined) return;
    seen = mark ?? "";
    upstreams = hostUpstreams(text);
  };
  const watch = watchFile(path, () => (lookedMs = -Infinity));
  return {
    now() {
      if (performance.now() - lookedMs >= lookAgainMs) look();
      return upstreams;
    },
    [Symbol.dispose]: () => watch[Symbol.dispose](),
  };
}

/** What changes when the file does; undefined when there is none. */
function markOf(path: string): string | undefined {
  try {
    const stat = statSync(path, { bigint: true });
    return [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(" ");
  } catch {
    return undefined;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").slice(0, maxFileBytes);
  } catch {
    return undefined;
  }
}
