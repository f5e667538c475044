import { Fault } from "#core/fault";
import type { IdRange, MountOp } from "./shim-types.ts";

/** The mount operations as the shim reads them: words separated by NUL (shim/mountplan.h). */
export function encodeMounts(mounts: readonly MountOp[]): string[] {
  return mounts.map((mount) => words(wordsOf(mount)));
}

function wordsOf(mount: MountOp): readonly string[] {
  if (mount.op === "mkdir") return ["mkdir", mount.path, mount.mode.toString(8)];
  if (mount.op === "bind") return ["bind", mount.source, mount.target, mount.flags.join(",")];
  if (mount.op === "mount") return ["mount", mount.type, mount.source, mount.target, mount.flags.join(","), mount.data];
  if (mount.op === "live") return ["live", String(mount.pid), mount.target, mount.what];
  if (mount.op === "within") return ["within", mount.root, mount.path, mount.source, mount.flags.join(",")];
  if (mount.op === "disk") return ["disk", mount.image, mount.target];
  if (mount.op === "idmap") return ["idmap", mount.source, mount.target, ...mapsOf(mount)];
  if (mount.op === "pick") return ["pick", mount.how, mount.root, mount.path, mount.target, mount.flags.join(",")];
  if (mount.op === "share") {
    const { pid = 0, source, target, type, device, flags, data } = mount;
    return ["share", String(pid), source, target, type, device, flags.join(","), data];
  }
  if (mount.op === "graft") return ["graft", String(mount.pid), mount.source, mount.target, mount.what];
  return ["overlay", mount.target, mount.upper ?? "", mount.work ?? "", mount.options.join(","), ...mount.lowers];
}

function mapsOf({ mapping }: Extract<MountOp, { op: "idmap" }>): string[] {
  return mapping === undefined ? [] : [mapLines(mapping.uids), mapLines(mapping.gids)];
}

/** As user_namespaces(7) has them. */
export function mapLines(ranges: readonly IdRange[]): string {
  return ranges.map(({ inside, outside, size }) => `${inside} ${outside} ${size}\n`).join("");
}

function words(list: readonly string[]): string {
  if (list.some((word) => word.includes("\0"))) throw new Fault("invalid", "a mount must not contain a NUL byte");
  return list.join("\0");
}
