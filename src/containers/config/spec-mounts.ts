import type { BindRequest, ContainerMount, ContainerSpec, TmpfsRequest } from "../containers.ts";
import type { RuntimeMount } from "./runtime-spec.ts";
import type { SpecInputs } from "./spec.ts";
import { Fault } from "#core/fault";
import { depthOf } from "./plan-mounts.ts";

/** The kernel's own file systems that every container has, as Docker mounts them. */
export function defaultMounts(
  spec: Pick<ContainerSpec, "privileged" | "shmSizeBytes" | "tmpfs" | "namespaces">,
  { security, joinedShm, mounts: own }: Pick<SpecInputs, "security" | "joinedShm" | "mounts">,
): RuntimeMount[] {
  const access = spec.privileged ? "rw" : "ro";
  const cgroupAccess = (security.writableCgroups ?? spec.privileged) ? "rw" : "ro";
  const mounts: RuntimeMount[] = [
    { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", access] },
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: [cgroupAccess, "nosuid", "noexec", "nodev"],
    },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
    ...sharedMemory(spec, joinedShm),
  ];
  // What a person mounts at such a place stands there instead.
  const taken = new Set([...Object.keys(spec.tmpfs), ...own.map(({ destination }) => destination)]);
  return mounts.filter((mount) => !taken.has(mount.destination));
}

/** POSIX shared memory belongs to the IPC namespace: it is shared, or not there, with it. */
function sharedMemory(
  { namespaces: { ipc }, shmSizeBytes }: Pick<ContainerSpec, "namespaces" | "shmSizeBytes">,
  joinedShm: string | undefined,
): RuntimeMount[] {
  const destination = "/dev/shm";
  const flags = ["nosuid", "noexec", "nodev"];
  if (ipc === "none") return [];
  const shown = ipc === "host" ? destination : joinedShm;
  if (shown !== undefined) {
    return [{ destination, type: "bind", source: shown, options: ["bind", "rprivate", ...flags] }];
  }
  return [{ destination, type: "tmpfs", source: "shm", options: [...flags, "mode=1777", `size=${shmSizeBytes}`] }];
}

/** /etc/hosts, /etc/hostname and /etc/resolv.conf, unless a mount of the person's stands there. */
export function fileMounts(
  files: { readonly hosts: string; readonly hostname: string; readonly resolvConf: string },
  own: readonly RuntimeMount[],
): RuntimeMount[] {
  const taken = new Set(own.map(({ destination }) => destination));
  return [
    ["/etc/resolv.conf", files.resolvConf] as const,
    ["/etc/hostname", files.hostname] as const,
    ["/etc/hosts", files.hosts] as const,
  ]
    .filter(([destination]) => !taken.has(destination))
    .map(([destination, source]) => ({ destination, type: "bind", source, options: ["rbind", "rprivate"] }));
}

/** What of a mount decides how the runtime binds it. */
type BoundMount = Pick<ContainerMount, "target" | "readOnly"> &
  Pick<BindRequest, "nonRecursive" | "readOnlyTopOnly"> & { readonly propagation?: BindRequest["propagation"] };

/** A bind with everything below it; read-only goes all the way down unless the request says otherwise. A file has nothing below, and crun refuses `rro` for it. */
export function boundMount(mount: BoundMount, source: string, isFolder: boolean): RuntimeMount {
  const { target, readOnly, nonRecursive = false, readOnlyTopOnly = false, propagation = "rprivate" } = mount;
  const goesDown = isFolder && !nonRecursive && !readOnlyTopOnly;
  const access = readOnly ? ["ro", ...(goesDown ? ["rro"] : [])] : ["rw"];
  return {
    destination: target,
    type: "bind",
    source,
    options: [nonRecursive ? "bind" : "rbind", ...access, propagation],
  };
}

/** The words of a `--mount type=tmpfs`. */
export function tmpfsWords({ sizeBytes, mode, options, readOnly }: Omit<TmpfsRequest, "kind" | "target">): string {
  return [
    ...options.map((pair) => pair.join("=")),
    ...(sizeBytes > 0 ? [`size=${sizeBytes}`] : []),
    ...(mode > 0 ? [`mode=${mode.toString(8)}`] : []),
    ...(readOnly ? ["ro"] : []),
  ].join(",");
}

/** `--tmpfs TARGET:OPTIONS`: Docker's defaults, overridden by what was given. Fault `invalid` for an option that tmpfs does not have. */
export function tmpfsMount(target: string, text: string): RuntimeMount {
  const chosen = new Map([
    ["exec", "noexec"],
    ["suid", "nosuid"],
    ["dev", "nodev"],
  ]);
  for (const option of text.split(",").filter((word) => word !== "")) {
    const [name = "", value] = option.split(/=(.*)/s);
    if (value === undefined && tmpfsFlags.has(name)) chosen.set(name.replace(/^no/, ""), name);
    else if (value === undefined && (name === "ro" || name === "rw")) chosen.set("access", name);
    else if (value !== undefined && tmpfsData.test(option)) chosen.set(name, option);
    else throw new Fault("invalid", `invalid tmpfs option ["${option.slice(0, 100)}"]`);
  }
  return { destination: target, type: "tmpfs", source: "tmpfs", options: [...chosen.values(), "rprivate"] };
}

/** Parents before what is mounted in them; otherwise the order stays. */
export function sortMounts(mounts: readonly RuntimeMount[]): RuntimeMount[] {
  return [...mounts].sort((left, right) => depthOf(left.destination) - depthOf(right.destination));
}

const tmpfsFlags = new Set(
  "exec noexec suid nosuid dev nodev sync async dirsync atime noatime diratime nodiratime relatime norelatime strictatime nostrictatime".split(
    " ",
  ),
);
const tmpfsData =
  /^(?:size=[0-9]+[kKmMgG%]?|mode=[0-7]{1,4}|uid=[0-9]+|gid=[0-9]+|nr_inodes=[0-9]+[kKmMgG]?|nr_blocks=[0-9]+[kKmMgG]?|mpol=[a-z0-9:=,-]+)$/;
