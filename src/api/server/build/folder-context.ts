import { statSync } from "node:fs";
import { isAbsolute } from "node:path";
import type { ContextRequest } from "#build";
import { Fault } from "#core/fault";

/**
 * A folder that a client of this machine names instead of sending it. Faults: `forbidden` for clients of elsewhere;
 * `conflict` when the client sees another folder there (it lives in a container): it is to send an archive.
 */
export function folderContext(path: string, id: string | undefined, isLocal: boolean): ContextRequest {
  if (!isLocal) throw new Fault("forbidden", "folders of this machine can be named over a unix socket only");
  if (!isAbsolute(path))
    throw new Fault("invalid", `the path of a build context must be absolute: ${path.slice(0, 200)}`);
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  if (stat === undefined || !stat.isDirectory() || `${stat.dev}:${stat.ino}` !== id) {
    throw new Fault(
      "conflict",
      `the daemon sees another folder at ${path.slice(0, 200)}: send the context as an archive`,
    );
  }
  return { kind: "folder", path };
}
