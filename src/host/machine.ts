import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { cpus, hostname, release, totalmem } from "node:os";
import { join } from "node:path";
import { Fault } from "#core/fault";
import { kernelAtLeast } from "#core/kernel-version";
import { parseResolvConf } from "#core/resolv-conf";
import { openTraffic } from "./counters/interfaces.ts";
import { parseMachineTime } from "./counters/machine-time.ts";
import type { IdRange, Machine, Shim } from "./host.ts";
import { listProcesses } from "./processes.ts";
import { isProcessDeafTo } from "./signal-masks.ts";
import { watchFile } from "./watch-file.ts";

/** Reads the machine's facts once; what can change (name servers, processes) is read at each call. */
export function readMachine(shim: Pick<Shim, "runToEnd">): Machine {
  const osRelease = parseOsRelease(readIfThere("/etc/os-release") ?? readIfThere("/usr/lib/os-release") ?? "");
  const capabilities = effectiveCapabilities(readFileSync("/proc/self/status", "utf8"));
  const hardLimits = parseHardLimits(readFileSync("/proc/self/limits", "utf8"));
  return {
    bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    kernelVersion: release(),
    operatingSystem: osRelease["PRETTY_NAME"] ?? "Linux",
    osVersion: osRelease["VERSION_ID"] ?? "",
    architecture: { x64: "x86_64", arm64: "aarch64" }[process.arch as string] ?? process.arch,
    cpus: cpus().length,
    memoryBytes: totalmem(),
    hostname: hostname(),
    hasCapability: (name) => capabilities.has(name),
    hardLimit: (name) => hardLimits.get(name) ?? Number.POSITIVE_INFINITY,
    lowestOomScore: capabilities.has("CAP_SYS_RESOURCE")
      ? -1000
      : Number(readFileSync("/proc/self/oom_score_adj", "utf8")),
    seccomp: existsSync("/proc/sys/kernel/seccomp/actions_avail"),
    apparmor: readIfThere("/sys/module/apparmor/parameters/enabled")?.trim() === "Y",
    userNamespaces: existsSync("/proc/self/ns/user"),
    idmappedLayers: kernelAtLeast(release(), 5, 19),
    selinux: existsSync("/sys/fs/selinux/enforce"),
    userNamespaceOf,
    throttleFolders: findThrottleFolders("/sys/devices/system/cpu"),
    get ipv4Forwarding() {
      return readIfThere("/proc/sys/net/ipv4/ip_forward")?.trim() === "1";
    },
    // Unlike /sys, /proc/sys/net is that of the network namespace of the one who asks.
    hasLink: (name) => existsSync(`/proc/sys/net/ipv4/conf/${name}`),
    get ipv6Forwarding() {
      return readIfThere("/proc/sys/net/ipv6/conf/all/forwarding")?.trim() === "1";
    },
    get ipv6Loopback() {
      return /^0{31}1 /m.test(readIfThere("/proc/net/if_inet6") ?? "");
    },
    resolvConf: async () => await readResolvConf(),
    watchResolvConf: (onChange) => watchFile("/etc/resolv.conf", onChange),
    time: () => parseMachineTime(readFileSync("/proc/stat", "latin1")),
    trafficOf: (pid) => openTraffic(pid),
    isDeafTo: isProcessDeafTo,
    ps: async (args, pids) => await listProcesses(shim, args, pids),
  };
}

function userNamespaceOf(pid: number): ReturnType<Machine["userNamespaceOf"]> {
  const path = `/proc/${pid}/ns/user`;
  try {
    if (readlinkSync(path) === readlinkSync("/proc/self/ns/user")) return undefined;
    const ranges = (name: string): IdRange[] => parseIdMap(readFileSync(`/proc/${pid}/${name}`, "utf8"));
    return { kind: "shared", path, mapping: { uids: ranges("uid_map"), gids: ranges("gid_map") } };
  } catch (error) {
    throw new Fault("notFound", `there is no process ${pid}`, { cause: error });
  }
}

/** The lines of uid_map and gid_map, user_namespaces(7). */
function parseIdMap(text: string): IdRange[] {
  return [...text.matchAll(/^\s*(\d+)\s+(\d+)\s+(\d+)$/gm)].map(([, inside, outside, size]) => ({
    inside: Number(inside),
    outside: Number(outside),
    size: Number(size),
  }));
}

/** Of the processors that the kernel knows, those that have one; virtual ones have none. */
export function findThrottleFolders(processors: string): string[] {
  if (!existsSync(processors)) return [];
  return readdirSync(processors)
    .filter((name) => /^cpu[0-9]+$/.test(name))
    .map((name) => join(processors, name, "thermal_throttle"))
    .filter((path) => existsSync(path));
}

/** `KEY="value"` lines of os-release(5). */
export function parseOsRelease(text: string): Readonly<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const [, key, value] = /^([A-Z0-9_]+)=["']?(.*?)["']?$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) values[key] = value;
  }
  return values;
}

/** systemd-resolved's stub cannot be reached from a container; its list of real servers can be used instead. */
async function readResolvConf(): Promise<string> {
  const own = await readFile("/etc/resolv.conf", "utf8").catch(() => "");
  const { servers } = parseResolvConf(own);
  if (servers.length !== 1 || servers[0] !== "127.0.0.53") return own;
  return await readFile("/run/systemd/resolve/resolv.conf", "utf8").catch(() => own);
}

/** The hard limits of `/proc/<pid>/limits`, by the names that `--ulimit` has for them; Infinity for `unlimited`. */
export function parseHardLimits(text: string): ReadonlyMap<string, number> {
  const limits = new Map<string, number>();
  for (const [name, title] of Object.entries(limitTitles)) {
    const line = text.split("\n").find((candidate) => candidate.startsWith(title));
    const hard = line?.slice(title.length).trim().split(/\s+/)[1];
    if (hard !== undefined) limits.set(name, hard === "unlimited" ? Number.POSITIVE_INFINITY : Number(hard));
  }
  return limits;
}

const limitTitles: Readonly<Record<string, string>> = {
  core: "Max core file size",
  cpu: "Max cpu time",
  data: "Max data size",
  fsize: "Max file size",
  locks: "Max file locks",
  memlock: "Max locked memory",
  msgqueue: "Max msgqueue size",
  nice: "Max nice priority",
  nofile: "Max open files",
  nproc: "Max processes",
  rss: "Max resident set",
  rtprio: "Max realtime priority",
  rttime: "Max realtime timeout",
  sigpending: "Max pending signals",
  stack: "Max stack size",
};

/** Names of the bits in CapEff (capability.h's order). */
export function effectiveCapabilities(status: string): ReadonlySet<string> {
  const bits = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  return new Set(capabilityNames.filter((_name, bit) => ((bits >> BigInt(bit)) & 1n) === 1n));
}

/** The capabilities by bit, as the kernel numbers them (include/uapi/linux/capability.h). */
export const capabilityNames: readonly string[] = (
  "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST " +
  "NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE " +
  "SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM " +
  "BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
  .split(" ")
  .map((name) => `CAP_${name}`);

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
