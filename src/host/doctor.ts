/** The door `#doctor`: checks this machine, with the remedy for what is missing. Reads only; works without a daemon. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { forwardObstacles } from "./forward-obstacles.ts";

/** What one check found. `warning`: works, with less; `failure`: containers cannot run. */
export interface Finding {
  readonly name: string;
  readonly level: "ok" | "warning" | "failure";
  /** What was found. */
  readonly text: string;
  /** What to do about it; only where something is wrong. */
  readonly remedy?: string;
}

/** How the checks look at the machine; the real one is `machineProbe`. */
export interface Probe {
  readonly uid: number;
  /** The file's text; undefined when it cannot be read. */
  read(path: string): string | undefined;
  exists(path: string): boolean;
  mayWrite(path: string): boolean;
  /** First line of a program's output; undefined when there is no such program or it fails. */
  firstLine(program: string, args: readonly string[]): string | undefined;
  /** Free bytes of the filesystem that the path is or will be on; its type's magic number. */
  disk(path: string): { readonly freeBytes: number; readonly type: number };
  /** Owner's group and mode of a file. */
  owner(path: string): { readonly gid: number; readonly mode: number } | undefined;
}

export interface DoctorOptions {
  readonly dataRoot: string;
  readonly socketPath: string;
  readonly shimPath: string;
}

/** All checks, in the order in which one would mend things. */
export function examine(probe: Probe, options: DoctorOptions): Finding[] {
  return [
    checkUser(probe),
    checkKernel(probe),
    checkOverlay(probe),
    checkNftables(probe),
    checkCgroups(probe),
    checkHybridCgroups(probe),
    checkNamespaces(probe),
    checkSeccomp(probe),
    checkRuntime(probe),
    checkProgram(probe, "nft", ["--version"], "nftables"),
    checkProgram(probe, "ip", ["-V"], "iproute2"),
    checkProgram(probe, "tar", ["--version"], "tar"),
    checkForwarding(probe),
    ...checkFirewall(probe),
    checkShim(probe, options.shimPath),
    ...checkDisk(probe, options.dataRoot),
    checkSocket(probe, options.socketPath),
    checkOtherEngine(probe),
  ].filter((finding) => finding !== undefined);
}

/** The machine that we run on. */
export const machineProbe: Probe = {
  uid: process.geteuid?.() ?? -1,
  read(path) {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return undefined;
    }
  },
  exists: existsSync,
  mayWrite(path) {
    try {
      accessSync(path, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  },
  firstLine(program, args) {
    const path = `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;
    const { status, stdout } = spawnSync(program, args, {
      encoding: "utf8",
      timeout: 10_000,
      env: { ...process.env, PATH: path },
    });
    return status === 0 ? (stdout.split("\n")[0] ?? "") : undefined;
  },
  disk(path) {
    let folder = path;
    while (!existsSync(folder) && folder !== "/") folder = dirname(folder);
    const { bavail, bsize, type } = statfsSync(folder);
    return { freeBytes: bavail * bsize, type };
  },
  owner(path) {
    try {
      const { gid, mode } = statSync(path);
      return { gid, mode };
    } catch {
      return undefined;
    }
  },
};

/** Where the shim's binary lies in this installation. */
export function shimPath(from: string = import.meta.dirname): string {
  for (let folder = from; folder !== "/"; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return join(folder, "build/shim/slipway-shim");
  }
  return "build/shim/slipway-shim";
}

function checkUser({ uid }: Probe): Finding {
  if (uid === 0) return ok("user", "root: may run the daemon");
  return warning(
    "user",
    `user id ${uid}: may use a running daemon, not start one`,
    "Run the daemon as root: sudo slipway daemon",
  );
}

function checkKernel(probe: Probe): Finding {
  const release = probe.read("/proc/sys/kernel/osrelease")?.trim() ?? "unknown";
  const [major = 0, minor = 0] = release.split(".").map((part) => Number.parseInt(part, 10));
  if (major > 5 || (major === 5 && minor >= 4)) return ok("kernel", release);
  return failure(
    "kernel",
    `${release} is too old`,
    "Use Linux 5.4 or newer: namespaces, pidfds and the mount calls are needed.",
  );
}

function checkOverlay(probe: Probe): Finding {
  if (/\boverlay$/m.test(probe.read("/proc/filesystems") ?? "")) return ok("overlayfs", "known to the kernel");
  const module = probe.firstLine("modinfo", ["-n", "overlay"]);
  if (module !== undefined) return ok("overlayfs", "a module that the kernel loads when it is needed");
  return failure(
    "overlayfs",
    "the kernel does not know it",
    "Load it with `modprobe overlay`, or use a kernel with CONFIG_OVERLAY_FS.",
  );
}

function checkNftables(probe: Probe): Finding {
  if (probe.uid !== 0) return ok("nftables", "not asked: only root may");
  if (probe.firstLine("nft", ["list", "tables"]) !== undefined) return ok("nftables", "the kernel answers");
  const isInstalled = probe.firstLine("nft", ["--version"]) !== undefined;
  return failure(
    "nftables",
    isInstalled ? "the kernel refuses `nft list tables`" : "not asked: nft is not installed",
    isInstalled
      ? "Load it with `modprobe nf_tables`, or use a kernel with CONFIG_NF_TABLES; in a container, give it CAP_NET_ADMIN."
      : "Install it: apt-get install nftables",
  );
}

function checkCgroups(probe: Probe): Finding {
  const unified = probe.read("/sys/fs/cgroup/cgroup.controllers");
  if (unified !== undefined) {
    const missing = ["cpu", "memory", "pids", "cpuset", "io"].filter((name) => !unified.split(/\s+/).includes(name));
    if (missing.length === 0) return ok("cgroups", `version 2 (${unified.trim()})`);
    return warning(
      "cgroups",
      `version 2 without ${missing.join(", ")}: those limits cannot be set`,
      "Boot with the controllers enabled (cgroup_enable=memory), or delegate them to this machine.",
    );
  }
  const wanted = ["cpu", "memory", "pids", "cpuset", "blkio"];
  const missing = wanted.filter((name) => !probe.exists(`/sys/fs/cgroup/${name}`));
  if (missing.length === wanted.length) {
    return failure(
      "cgroups",
      "none are mounted",
      "Mount them: `mount -t cgroup2 none /sys/fs/cgroup`, or apt-get install cgroupfs-mount.",
    );
  }
  if (missing.length > 0)
    return warning(
      "cgroups",
      `version 1 without ${missing.join(", ")}: those limits cannot be set`,
      "Mount the missing controllers under /sys/fs/cgroup.",
    );
  if (!probe.exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"))
    return warning(
      "cgroups",
      "version 1 without swap accounting: memory is limited, swap is not",
      "Boot with swapaccount=1.",
    );
  return ok("cgroups", "version 1");
}

/** crun before 1.9 refuses a mixed set-up as long as version 2 keeps a controller. */
function checkHybridCgroups(probe: Probe): Finding | undefined {
  const free = probe.read("/sys/fs/cgroup/unified/cgroup.controllers")?.trim();
  if (free === undefined || free === "") return undefined;
  const mounted = free.split(/\s+/).filter((name) => !probe.exists(`/sys/fs/cgroup/${name}/cgroup.procs`));
  if (mounted.length === 0) return ok("hybrid cgroups", "all controllers are mounted as version 1");
  const [first = ""] = mounted;
  return warning(
    "hybrid cgroups",
    `version 2 still keeps ${mounted.join(", ")}: some releases of crun refuse that`,
    `mkdir -p /sys/fs/cgroup/${first} && mount -t cgroup -o ${first} cgroup /sys/fs/cgroup/${first}`,
  );
}

function checkNamespaces(probe: Probe): Finding {
  const missing = ["mnt", "pid", "net", "ipc", "uts", "cgroup"].filter(
    (name) => !probe.exists(`/proc/self/ns/${name}`),
  );
  if (missing.length > 0)
    return failure("namespaces", `the kernel has no ${missing.join(", ")}`, "Use a kernel with all of CONFIG_*_NS.");
  const users = probe.exists("/proc/self/ns/user") ? "" : "; no user namespaces";
  return ok("namespaces", `mount, pid, network, ipc, uts, cgroup${users}`);
}

function checkSeccomp(probe: Probe): Finding {
  if (/^Seccomp:/m.test(probe.read("/proc/self/status") ?? "")) return ok("seccomp", "known to the kernel");
  return warning(
    "seccomp",
    "the kernel does not know it: system calls are not filtered",
    "Use a kernel with CONFIG_SECCOMP_FILTER.",
  );
}

function checkRuntime(probe: Probe): Finding {
  for (const name of ["crun", "runc"]) {
    const line = probe.firstLine(name, ["--version"]);
    if (line !== undefined) return ok("OCI runtime", line);
  }
  return failure("OCI runtime", "neither crun nor runc is installed", "Install it: apt-get install crun");
}

function checkProgram(probe: Probe, name: string, args: readonly string[], source: string): Finding {
  const line = probe.firstLine(name, args);
  return line === undefined ? failure(name, "not installed", `Install it: apt-get install ${source}`) : ok(name, line);
}

function checkForwarding(probe: Probe): Finding {
  if (probe.read("/proc/sys/net/ipv4/ip_forward")?.trim() === "1") return ok("IP forwarding", "on");
  const canSet = probe.uid === 0 && probe.mayWrite("/proc/sys/net/ipv4/ip_forward");
  return canSet
    ? ok("IP forwarding", "off; the daemon turns it on")
    : warning(
        "IP forwarding",
        "off: containers do not reach other machines",
        "Turn it on: sysctl -w net.ipv4.ip_forward=1",
      );
}

/** Whether other firewalls leave our networks their ways; the default daemon's table tells which networks there are. */
function checkFirewall(probe: Probe): Finding[] {
  if (probe.uid !== 0) return [];
  const ruleset = probe.firstLine("nft", ["-j", "list", "ruleset"]);
  const obstacles = ruleset?.startsWith("{") === true ? forwardObstacles(ruleset, "slipway") : [];
  const copies = probe.firstLine("nft", ["-c", copyRule]) !== undefined;
  return [
    ...obstacles.map(({ text, remedy }) => warning("other firewall", text, remedy)),
    ...(copies
      ? []
      : [
          warning(
            "host's firewall",
            "the kernel cannot copy packets: it cannot be asked about published ports",
            "Load nft_dup_ipv4 and nft_dup_ipv6, or run the daemon with --firewall docker.",
          ),
        ]),
  ];
}

/** Only checked, never applied. */
const copyRule =
  "table ip slipway-doctor { chain input { type filter hook input priority 0; ip ttl 1 dup to ip daddr; }; }";

function checkShim(probe: Probe, path: string): Finding {
  if (!probe.exists(path))
    return failure("shim", `${path} is not built`, "Build it: run ./slipway version once as root.");
  return ok("shim", path);
}

const gibibyte = 1024 ** 3;
/** Magic numbers of filesystems that overlayfs cannot write on. */
const unfit: Readonly<Record<number, string>> = { 0x6969: "NFS", 0x794c7630: "overlayfs", 0x65735546: "FUSE" };

function checkDisk(probe: Probe, dataRoot: string): Finding[] {
  const { freeBytes, type } = probe.disk(dataRoot);
  const free = `${(freeBytes / gibibyte).toFixed(1)} GiB free for ${dataRoot}`;
  const room =
    freeBytes < gibibyte / 4
      ? failure("disk", free, "Free some room, or choose another folder with --data-root.")
      : freeBytes < 2 * gibibyte
        ? warning("disk", free, "Images need room: free some, or choose another folder with --data-root.")
        : ok("disk", free);
  const kind = unfit[type];
  if (kind === undefined) return [room];
  return [
    room,
    failure(
      "data folder",
      `${dataRoot} lies on ${kind}, which cannot hold containers' layers`,
      "Choose a folder on ext4, xfs, btrfs or tmpfs with --data-root.",
    ),
  ];
}

function checkSocket(probe: Probe, path: string): Finding {
  const owner = probe.owner(path);
  if (owner === undefined) return ok("socket", `${path} is not there: no daemon runs, the next command starts one`);
  if ((owner.mode & 0o002) !== 0) {
    return warning(
      "socket",
      `${path} is open to every user of this machine, who thereby are root`,
      `chmod 0660 ${path}`,
    );
  }
  if (!probe.mayWrite(path))
    return warning("socket", `${path} is closed to you`, "Run as root, or join the group that owns it.");
  return ok("socket", path);
}

function checkOtherEngine(probe: Probe): Finding | undefined {
  if (!probe.exists("/run/docker.sock")) return undefined;
  return ok(
    "other engine",
    "a Docker daemon's socket is here too: both run side by side; a port can be published by one of them only",
  );
}

function ok(name: string, text: string): Finding {
  return { name, level: "ok", text };
}

function warning(name: string, text: string, remedy: string): Finding {
  return { name, level: "warning", text, remedy };
}

function failure(name: string, text: string, remedy: string): Finding {
  return { name, level: "failure", text, remedy };
}
