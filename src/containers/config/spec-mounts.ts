import type { BindRequest, ContainerSpec } from "../containers.ts";
import type { RuntimeMount } from "./runtime-spec.ts";
import type { SpecInputs } from "./spec.ts";
import { Fault } from "#core/fault";

/** The kernel's own file systems that every container has, as Docker mounts them. */
export function defaultMounts(
  spec: Pick<ContainerSpec, "privileged" | "shmSizeBytes" | "tmpfs" | "binds" | "namespaces">,
  { security, joinedShm }: Pick<SpecInputs, "security" | "joinedShm">,
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
  const taken = new Set([...Object.keys(spec.tmpfs), ...spec.binds.map((bind) => bind.target)]);
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

/** /etc/hosts, /etc/hostname and /etc/resolv.conf, unless a bind of the person's stands there. */
export function fileMounts(
  files: { readonly hosts: string; readonly hostname: string; readonly resolvConf: string },
  spec: Pick<ContainerSpec, "binds">,
): RuntimeMount[] {
  const taken = new Set(spec.binds.map((bind) => bind.target));
  return [
    ["/etc/resolv.conf", files.resolvConf] as const,
    ["/etc/hostname", files.hostname] as const,
    ["/etc/hosts", files.hosts] as const,
  ]
    .filter(([destination]) => !taken.has(destination))
    .map(([destination, source]) => ({ destination, type: "bind", source, options: ["rbind", "rprivate"] }));
}

/** A bind with everything below it; read-only goes all the way down unless the request says otherwise. A file has nothing below, and crun refuses `rro` for it. */
export function bindMount(bind: BindRequest, isFolder: boolean): RuntimeMount {
  const access = bind.readOnly ? ["ro", ...(isFolder && bind.readOnlyTopOnly !== true ? ["rro"] : [])] : ["rw"];
  return {
    destination: bind.target,
    type: "bind",
    source: bind.source,
    options: ["rbind", ...access, bind.propagation],
  };
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
  const depth = (mount: RuntimeMount): number => mount.destination.split("/").filter((part) => part !== "").length;
  return [...mounts].sort((left, right) => depth(left) - depth(right));
}

const tmpfsFlags = new Set(
  "exec noexec suid nosuid dev nodev sync async dirsync atime noatime diratime nodiratime relatime norelatime strictatime nostrictatime".split(
    " ",
  ),
);
const tmpfsData =
  /^(?:size=[0-9]+[kKmMgG%]?|mode=[0-7]{1,4}|uid=[0-9]+|gid=[0-9]+|nr_inodes=[0-9]+[kKmMgG]?|nr_blocks=[0-9]+[kKmMgG]?|mpol=[a-z0-9:=,-]+)$/;
