import { join } from "node:path";
import type { Paths } from "#host";

/**
 * Where a container's things are. What a reboot may forget is under the exec-root: mostly memory, gone with the container. Asked
 * for a dozen times in a container's life: the names are put together, as there is nothing in them to be normalized.
 */
export function foldersOf(paths: Paths, id: string) {
  const bundle = join(paths.execRoot, "containers", id);
  const data = join(paths.dataRoot, "containers", id);
  return {
    /** The OCI bundle, the monitor's socket, pid file and exit record. */
    bundle,
    rootfs: `${bundle}/rootfs`,
    /** Seen by the container's monitor alone: its user namespace, its files under that namespace's ids, and a joined /dev/shm. */
    userNamespace: `${bundle}/userns`,
    views: `${bundle}/views`,
    joinedShm: `${bundle}/shm`,
    /** What the monitor mounts there is bound into the container. */
    mounts: `${bundle}/mounts`,
    pidFile: `${bundle}/pid`,
    runtimeLog: `${bundle}/runtime.log`,
    /** What stays until the container is removed. */
    data,
    /** Containers may write these, as much as they like: that must not be the host's memory. */
    hosts: `${data}/hosts`,
    hostname: `${data}/hostname`,
    resolvConf: `${data}/resolv.conf`,
    /** What it was given, for a container in the host's network: another content is its own. */
    givenResolvConf: `${data}/resolv.conf.given`,
    log: `${data}/log`,
    logCursor: `${data}/log-cursor`,
    /** Docker's JSON lines, for those who ask for them: where log collectors look. */
    jsonLog: `${data}/${id}-json.log`,
  };
}

/** Where the OCI runtime keeps its own state. */
export function runtimeRoot(paths: Paths): string {
  return join(paths.execRoot, "runtime");
}
