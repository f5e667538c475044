import { Fault } from "#core/fault";
import type { IdMapping, IdRange } from "#host";
import type { BindRequest, VolumeMountRequest } from "../containers.ts";

/** Refuses what `U` must not give away, and mappings that say nothing. Fault `invalid`. */
export function checkOwnerChanges(mount: BindRequest | VolumeMountRequest): void {
  const { chown, idmap } = mount;
  if (chown === true && mount.kind === "bind" && isSystemPath(mount.source)) throw systemPathFault(mount.source);
  if (idmap !== undefined && idmap !== "") parseIdmap(idmap, undefined);
}

/** For what the option `U` may not change. */
export function systemPathFault(path: string): Fault {
  return new Fault("invalid", `chowning a system path is not allowed: ${path}`, {
    remedy: "Leave out the option U, or bind a folder below it.",
  });
}

/**
 * Podman's `uids=0-1-10#10-11-10;gids=0-100-10`: what has the first id on the disk is shown with the second one, and so on for
 * as many as the third says. With `@` before it the second is one of the container's user namespace. A side that is left out
 * stays as it is. Fault `invalid`.
 */
export function parseIdmap(text: string, namespace: IdMapping | undefined): IdMapping {
  const sides = new Map<string, readonly IdRange[]>();
  for (const part of text.split(";")) {
    const [, name = "", ranges = ""] = /^(uids|gids)=(.+)$/s.exec(part) ?? [];
    if (name === "" || sides.has(name)) throw malformed(text);
    const outside = name === "uids" ? namespace?.uids : namespace?.gids;
    sides.set(
      name,
      ranges.split("#").map((range) => readRange(range, outside, text)),
    );
  }
  return { uids: sides.get("uids") ?? everything, gids: sides.get("gids") ?? everything };
}

const everything: readonly IdRange[] = [{ inside: 0, outside: 0, size: 2 ** 32 - 1 }];

function readRange(range: string, namespace: readonly IdRange[] | undefined, text: string): IdRange {
  const [, relative, first, second, length] = /^(@?)([0-9]{1,10})-([0-9]{1,10})-([0-9]{1,10})$/.exec(range) ?? [];
  const [inside, outside, size] = [Number(first), Number(second), Number(length)];
  const most = 2 ** 32 - 1;
  if (first === undefined || size === 0 || inside + size > most || outside + size > most) throw malformed(text);
  if (relative === "" || namespace === undefined) return { inside, outside, size };
  const within = namespace.find((one) => outside >= one.inside && outside + size <= one.inside + one.size);
  if (within === undefined) {
    throw new Fault("invalid", `idmap: ${range} is not within the container's user namespace`);
  }
  return { inside, outside: within.outside + outside - within.inside, size };
}

function malformed(text: string): Fault {
  return new Fault("invalid", `invalid idmap: ${JSON.stringify(text.slice(0, 100))}`, {
    remedy: "Write uids=DISK-SHOWN-COUNT, several joined by #, then ; and gids=… in the same way.",
  });
}

/** Folders of the system itself, and what it lives by: as Podman, never given away. */
export function isSystemPath(path: string): boolean {
  const parts = path.split("/").filter((part) => part !== "");
  const [top = "", second = ""] = parts;
  if (parts.length <= 1) return top === "" || topFolders.has(top);
  if (top === "usr") return second !== "local" || parts.length === 2;
  return closedTrees.has(top) || closedFolders.has(parts.join("/"));
}

const topFolders = new Set(
  "bin boot dev etc home lib lib32 lib64 libx32 lost+found media mnt opt proc root run sbin srv sys tmp usr var".split(
    " ",
  ),
);
/** Nothing in these belongs to a container. */
const closedTrees = new Set("bin boot dev etc lib lib32 lib64 libx32 proc sbin sys".split(" "));
const closedFolders = new Set(
  "var/lib var/log var/run var/cache var/spool var/tmp var/mail var/lock var/backups var/lib/dpkg var/lib/rpm var/lib/apt run/lock run/user".split(
    " ",
  ),
);
