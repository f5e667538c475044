import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { MountOp } from "#host";
import { resolveCapabilities } from "../config/capabilities.ts";
import { defaultCdiFolders } from "../config/cdi.ts";
import { containerDevices } from "../config/device-access.ts";
import { foldersOf } from "./folders.ts";
import { linkedContainers, linkEnvironment } from "./links.ts";
import { type NetworkFiles, writeNetworkFiles } from "./network-files.ts";
import { prepareKernel } from "./kernel.ts";
import type { Place } from "./place.ts";
import { type PreparedMounts, prepareMounts } from "../mounts/prepare.ts";
import { processEnv } from "../config/process.ts";
import type { Room } from "../room.ts";
import { filesView, type Isolation } from "./namespaces.ts";
import { seccompOf } from "./seccomp.ts";
import { parseSecurityOptions } from "../config/security-options.ts";
import { bundleText, runtimeSpec } from "../config/spec.ts";
import { runtimeRlimits } from "../config/ulimits.ts";
import { cgroupOf, runtimePathOf } from "./runtime.ts";
import type { ContainerRecord } from "../store.ts";
import { resolveUser, type UserFiles } from "../config/user.ts";

/**
 * Writes what the runtime needs to make the container: `config.json` and the files of /etc. Written straight and without
 * sync: the exec-root is memory on real machines, and nothing in it is worth more than the run itself. `added`: mounts that are in no record.
 */
export async function writeBundle(
  room: Room,
  record: ContainerRecord,
  place: Place,
  isolation: Isolation,
  added: Pick<PreparedMounts, "ops" | "runtime"> = { ops: [], runtime: [] },
): Promise<Bundle> {
  const { paths, machine } = room.host;
  const folders = foldersOf(paths, record.id);
  const [users, hostResolvConf, devices] = await Promise.all([
    readUserFiles(room, record.id),
    machine.resolvConf(),
    containerDevices(record.spec, room.cdiFolders ?? defaultCdiFolders),
  ]);
  makeBundleFolder(folders, isolation.userNamespace === undefined ? 0o700 : 0o711);
  mkdirSync(folders.log, { recursive: true, mode: 0o700 });
  const links = linkedContainers(room, record, place.attached);
  const files = writeNetworkFiles(room, record, place, { hostResolvConf, links });
  const requested = await prepareKernel(room, record, place.networkNamespace);
  const user = resolveUser(record.process.user, record.spec.groupAdd, users);
  using undo = new DisposableStack();
  const mounts = undo.use(await prepareMounts(room, record, isolation, user.ids));
  const capabilities = capabilitiesOf(room, record);
  const profile = seccompOf(room, record.spec, capabilities);
  const { userNamespace } = isolation;
  const spec = runtimeSpec({
    spec: requested,
    annotations: {
      ...record.spec.annotations,
      ...room.seccompPrograms.annotationsFor(runtimePathOf(room, record), profile),
    },
    args: record.process.args,
    env: processEnv({
      env: [...linkEnvironment(record.name, links), ...record.process.env],
      hostname: record.hostname,
      tty: record.spec.tty,
      home: user.home,
    }),
    workingDir: record.process.workingDir,
    hostname: record.hostname,
    user,
    capabilities,
    devices,
    rlimits: runtimeRlimits(record.spec.ulimits, room.defaultUlimits ?? [], machine),
    rootPath: folders.rootfs,
    cgroupsPath: cgroupOf(room, record.id),
    security: parseSecurityOptions(record.spec.securityOptions),
    entered: {
      ...isolation.entered,
      ...(place.networkNamespace !== undefined && { network: place.networkNamespace }),
      ...(userNamespace !== undefined && { user: folders.userNamespace }),
    },
    userMapping: userNamespace?.mapping,
    joinedShm: isolation.shmOwner === undefined ? undefined : folders.joinedShm,
    files: userNamespace === undefined ? files : filesIn(folders.views, files),
    mounts: [...mounts.runtime, ...added.runtime],
    shimPath: room.shimPath,
    facts: {
      lowestOomScore: machine.lowestOomScore,
      throttleFolders: machine.throttleFolders,
      apparmor: machine.apparmor,
    },
  });
  const written = room.seccompPrograms.writtenFor(runtimePathOf(room, record), profile);
  writeFileSync(join(folders.bundle, "config.json"), bundleText(spec, written), { mode: 0o600 });
  const held = undo.move();
  return {
    seccompProfile: profile,
    files,
    mounts: [...mounts.ops, ...added.ops],
    [Symbol.dispose]: () => held.dispose(),
  };
}

/** The runtime enters it as root; nobody else has to, not even the container's own users, unless their root is none of the host's. */
function makeBundleFolder(
  { bundle, rootfs }: { readonly bundle: string; readonly rootfs: string },
  mode: number,
): void {
  try {
    mkdirSync(bundle, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    rmSync(bundle, { recursive: true }); // of a run that a crash cut off
    mkdirSync(bundle, { mode });
  }
  mkdirSync(rootfs, { mode: 0o711 });
}

/** What a start still needs to know of its bundle; to be disposed when the container runs, or does not. */
export interface Bundle extends Disposable {
  /** As JSON text; undefined when the container runs without. */
  readonly seccompProfile: string | undefined;
  /** The files of /etc, on the host. */
  readonly files: NetworkFiles;
  /** What the monitor mounts for the runtime to bind. */
  readonly mounts: readonly MountOp[];
}

/** The container's bounding set. */
export function capabilitiesOf(room: Room, { spec }: ContainerRecord): string[] {
  return resolveCapabilities({ add: spec.capAdd, drop: spec.capDrop, privileged: spec.privileged }, (name) =>
    room.host.machine.hasCapability(name),
  );
}

/** The container's own passwd and group files, as they are now. */
export async function readUserFiles(room: Pick<Room, "images">, id: string): Promise<UserFiles> {
  const [passwd, group] = await Promise.all([
    room.images.readRootFile(id, "etc/passwd"),
    room.images.readRootFile(id, "etc/group"),
  ]);
  return { passwd, group };
}

/** Where they are seen under the container's own ids. */
function filesIn(views: string, { hosts, hostname, resolvConf }: NetworkFiles): NetworkFiles {
  const view = (path: string): string => join(filesView(views), basename(path));
  return { hosts: view(hosts), hostname: view(hostname), resolvConf: view(resolvConf) };
}
