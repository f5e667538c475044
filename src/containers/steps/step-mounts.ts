import { join } from "node:path";
import { Fault } from "#core/fault";
import { type IdMapping, type IdRange, type MountFlag, type MountOp, writeSeenBy } from "#host";
import type { RuntimeMount } from "../config/runtime-spec.ts";
import { boundMount } from "../config/spec-mounts.ts";
import { foldersOf } from "../life/folders.ts";
import { type Isolation, mappedMounts } from "../life/namespaces.ts";
import type { Room } from "../room.ts";
import type { StepMount } from "./step-types.ts";

type StackMount = Extract<StepMount, { kind: "stack" }>;
type SecretMount = Extract<StepMount, { kind: "secret" }>;

/** What a step has mounted that containers cannot have: parts of stacks, and files that are in memory only. */
export interface StepMounts {
  /** For the monitor, before the runtime comes. */
  readonly ops: readonly MountOp[];
  /** For the runtime. */
  readonly runtime: readonly RuntimeMount[];
  /** Writes the files in memory, in the mount namespace of that process. */
  write(pid: number): void;
}

/** Gets a step's own mounts ready. `onRoot` is told of each root before it is made. */
export async function prepareStepMounts(
  room: Room,
  id: string,
  mounts: readonly StepMount[],
  { userNamespace }: Pick<Isolation, "userNamespace">,
  onRoot: (name: string) => void,
): Promise<StepMounts> {
  const place = foldersOf(room.host.paths, id).mounts;
  const ops: MountOp[] = [];
  const runtime: RuntimeMount[] = [];
  const files: { readonly path: string; readonly secret: SecretMount }[] = [];
  for (const [index, mount] of mounts.entries()) {
    const at = join(place, `step-${index}`);
    if (mount.kind === "secret") {
      const path = join(at, "file");
      // Unlike tmpfs it is never swapped out.
      ops.push({ op: "mkdir", path: at, mode: 0o711 });
      ops.push({
        op: "mount",
        type: "ramfs",
        source: "secret",
        target: at,
        flags: ["nosuid", "nodev"],
        data: "mode=711",
      });
      runtime.push(boundMount({ target: mount.target, readOnly: true, readOnlyTopOnly: true }, path, false));
      files.push({ path, secret: mount });
    } else if (mount.kind === "stack") {
      const root = `${id}.${index}`;
      if (mount.writable) {
        onRoot(root);
        await room.images.layers.createRoot(mount.stack, root);
      }
      ops.push(...stackOps(room, mount, at, mount.writable ? root : undefined, userNamespace !== undefined));
      runtime.push(boundMount({ target: mount.target, readOnly: !mount.writable, readOnlyTopOnly: true }, at, true));
    }
  }
  return { ops, runtime, write: (pid) => writeSecrets(pid, files, userNamespace?.mapping) };
}

function stackOps(room: Room, mount: StackMount, at: string, root: string | undefined, isMapped: boolean): MountOp[] {
  const isWhole = mount.subpath === "" || mount.subpath === "/";
  const all = isWhole ? at : `${at}.all`;
  const shown = room.images.layers
    .shownAt(mount.stack, all)
    .map((op) => (root === undefined ? op : writable(room, op, root)));
  const ops: MountOp[] = [{ op: "mkdir", path: all, mode: 0o755 }];
  if (isMapped) ops.push(...mappedMounts(shown.map(asMapped), `${at}.views`));
  else ops.push(...shown);
  if (isWhole) return ops;
  const flags: readonly MountFlag[] = mount.writable ? [] : ["ro"];
  ops.push({ op: "pick", how: "inside", root: all, path: mount.subpath, target: at, flags });
  return ops;
}

/** What is written goes into a root of its own, and with it. */
function writable(room: Room, op: MountOp, root: string): MountOp {
  const { UpperDir: upper = "", WorkDir: work = "" } = room.images.openRoot(root).driver.data;
  if (op.op === "overlay") return { ...op, upper, work, options: [...op.options, "volatile"] };
  if (op.op === "bind")
    return { op: "overlay", target: op.target, lowers: [op.source], upper, work, options: ["volatile"] };
  throw new Error(`a stack is shown by ${op.op}`);
}

/** A single layer is shown by a bind. */
function asMapped(op: MountOp): MountOp {
  return op.op === "bind" ? { op: "idmap", source: op.source, target: op.target } : op;
}

function writeSecrets(
  pid: number,
  files: readonly { readonly path: string; readonly secret: SecretMount }[],
  mapping: IdMapping | undefined,
): void {
  for (const { path, secret } of files) {
    const { bytes, mode } = secret;
    const uid = outside(secret.uid, mapping?.uids);
    writeSeenBy(pid, { path, bytes, mode, uid, gid: outside(secret.gid, mapping?.gids) });
  }
}

function outside(id: number, ranges: readonly IdRange[] | undefined): number {
  if (ranges === undefined) return id;
  const range = ranges.find(({ inside, size }) => id >= inside && id < inside + size);
  if (range !== undefined) return id - range.inside + range.outside;
  throw new Fault("invalid", `the id ${id} of a secret is none of the container's`);
}
