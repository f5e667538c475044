import { join } from "node:path";
import type { Paths } from "#host";

/** Where a container's things are. What a reboot may forget is under the exec-root: mostly memory, gone with the container. */
export function foldersOf(paths: Paths, id: string) {
  const bundle = join(paths.execRoot, "containers", id);
  const data = join(paths.dataRoot, "containers", id);
  return {
    /** The OCI bundle, the monitor's socket, pid file and exit record. */
    bundle,
    rootfs: join(bundle, "rootfs"),
    pidFile: join(bundle, "pid"),
    runtimeLog: join(bundle, "runtime.log"),
    hosts: join(bundle, "hosts"),
    hostname: join(bundle, "hostname"),
    resolvConf: join(bundle, "resolv.conf"),
    /** What stays until the container is removed. */
    data,
    log: join(data, "log"),
  };
}

/** Where the OCI runtime keeps its own state. */
export function runtimeRoot(paths: Paths): string {
  return join(paths.execRoot, "runtime");
}
