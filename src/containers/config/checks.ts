import { isIP } from "node:net";
import { Fault } from "#core/fault";
import { isAbsolute } from "node:path";
import { checkEndpointRequest } from "./endpoints.ts";
import type { Machine } from "#host";
import type { ContainerSpec } from "../containers.ts";
import { parseDeviceRule } from "./devices.ts";
import { readExposeLabel } from "./expose-label.ts";
import { parseNetworkMode } from "./network-mode.ts";
import { checkLogging } from "../logs/check-logging.ts";
import { checkNamespaces } from "./namespaces.ts";
import { rootSizeOf } from "./root-size.ts";
import { parseSecurityOptions } from "./security-options.ts";
import { checkOwnerChanges } from "./owner-changes.ts";
import { planMounts } from "./plan-mounts.ts";
import { tmpfsMount, tmpfsWords } from "./spec-mounts.ts";
import { checkSysctls } from "./sysctls.ts";
import { checkUlimits, type UlimitFacts } from "./ulimits.ts";

/** What the checks take from the machine. */
export type CheckFacts = UlimitFacts & Pick<Machine, "lowestOomScore" | "selinux">;

/** Checks what can be checked of a request without its image; its limits are `settleLimits`' work. Faults: `invalid` in Docker's words, `unsupported` for what is still to come. Answers the warnings. */
export function checkSpec(spec: ContainerSpec, machine: CheckFacts): string[] {
  checkNames(spec);
  if (spec.autoRemove && spec.restart.name !== "no") {
    throw new Fault("invalid", "can't create 'AutoRemove' container with restart policy");
  }
  checkEnv(spec.env);
  checkMounts(spec);
  checkNamespaces(spec);
  checkSecurity(spec, machine);
  checkLogging(spec.logging);
  checkAnnotations(spec.annotations);
  checkResolver(spec);
  checkSysctls(spec);
  rootSizeOf(spec.storageOptions);
  for (const rule of spec.deviceRules) parseDeviceRule(rule);
  for (const { permissions } of spec.devices) checkDevicePermissions(permissions);
  for (const entry of spec.extraHosts) parseExtraHost(entry);
  return [...checkOomScore(spec, machine), ...checkUlimits(spec.ulimits, machine), ...checkNetwork(spec)];
}

function checkSecurity({ securityOptions }: ContainerSpec, { selinux }: Pick<Machine, "selinux">): void {
  const { labels } = parseSecurityOptions(securityOptions);
  if (selinux && labels.some((label) => label !== "disable")) {
    throw new Fault("unsupported", "SELinux labels other than disable are not supported");
  }
}

/** `host:ip` or `host=ip`; the ip may be `host-gateway` or an IPv6 address with or without brackets. */
export function parseExtraHost(text: string): { name: string; ip: string } {
  const [, name = "", address = ""] = /^([^:=]*)[:=](.*)$/s.exec(text) ?? [];
  const ip = address.replace(/^\[(.*)\]$/, "$1");
  if (name === "" || /\s/.test(name)) throw new Fault("invalid", `bad format for add-host: ${quote(text)}`);
  if (ip !== "host-gateway" && isIP(ip) === 0) {
    throw new Fault("invalid", `invalid IP address in add-host: ${quote(address)}`);
  }
  return { name, ip };
}

function checkNames(spec: ContainerSpec): void {
  const { hostname } = spec;
  if (hostname !== undefined && !/^[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$/.test(hostname)) {
    throw new Fault("invalid", `invalid hostname format: ${hostname.slice(0, 100)}`);
  }
  const texts = [...(spec.entrypoint ?? []), ...(spec.command ?? []), spec.workingDir ?? "", spec.user ?? ""];
  if (texts.some((text) => text.includes("\0"))) throw new Fault("invalid", "a NUL byte cannot be part of a command");
}

function checkEnv(env: readonly string[]): void {
  for (const entry of env) {
    if (entry === "" || entry.startsWith("=")) throw new Fault("invalid", `invalid environment variable: ${entry}`);
    if (entry.includes("\0")) throw new Fault("invalid", "a NUL byte cannot be part of an environment variable");
  }
}

function checkOomScore({ oomScoreAdj }: ContainerSpec, { lowestOomScore }: CheckFacts): string[] {
  if (oomScoreAdj < -1000 || oomScoreAdj > 1000) {
    throw new Fault("invalid", `Invalid value ${oomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  }
  if (oomScoreAdj === 0 || oomScoreAdj >= lowestOomScore) return [];
  return [
    `The daemon may not lower the OOM score below its own ${lowestOomScore} (it lacks CAP_SYS_RESOURCE). That is used.`,
  ];
}

/** Targets are absolute and clean (the API's edge sees to it), and nothing is asked for twice. */
function checkMounts({ mounts, tmpfs, volumes }: ContainerSpec): void {
  planMounts({ mounts, tmpfs: Object.keys(tmpfs), from: [], volumes, volumeDriver: "" });
  for (const mount of mounts) {
    checkProcTarget(mount.target, mount.kind === "bind" ? mount.source : "");
    if (mount.kind === "tmpfs") tmpfsMount(mount.target, tmpfsWords(mount));
    if (mount.kind === "bind" || mount.kind === "volume") checkOwnerChanges(mount);
  }
  for (const target of volumes) checkProcTarget(target, "");
  for (const [target, options] of Object.entries(tmpfs)) {
    if (target === "/proc") checkProcTarget("/proc", "");
    tmpfsMount(target, options);
  }
}

/** A false /proc would deceive whatever trusts it, the runtime first; runc refuses it, crun does not. Some files of it may be replaced, as lxcfs does. */
function checkProcTarget(target: string, source: string): void {
  if (target !== "/proc" && !target.startsWith("/proc/")) return;
  if (target === "/proc" ? source === "/proc" : replaceableProcFiles.has(target.slice("/proc/".length))) return;
  throw new Fault("invalid", `"${target.slice(0, 200)}" cannot be mounted because it is inside /proc`, {
    remedy: "Choose a target outside of /proc.",
  });
}

const replaceableProcFiles = new Set(
  "cpuinfo diskstats meminfo stat swaps uptime loadavg slabinfo net/dev sys/kernel/ns_last_pid sys/crypto/fips_enabled".split(
    " ",
  ),
);

/** The runtimes' own annotations change how a container is confined (seccomp programs, hooks, handlers): none may come from a request. */
function checkAnnotations(annotations: ContainerSpec["annotations"]): void {
  if (Object.hasOwn(annotations, "")) {
    throw new Fault("invalid", "invalid Annotation: the empty string is not permitted as an annotation key");
  }
  const reserved = Object.keys(annotations).find((name) => /^(?:run\.oci|io\.crun)\./i.test(name));
  if (reserved === undefined) return;
  throw new Fault("forbidden", `the annotation ${reserved.slice(0, 100)} is reserved for the OCI runtime`, {
    remedy: "Choose a name of your own, such as org.example.key.",
  });
}

function checkDevicePermissions(permissions: string): void {
  if (/^[rwm]+$/.test(permissions) && new Set(permissions).size === permissions.length) return;
  throw new Fault("invalid", `invalid device mode: ${quote(permissions)}`, {
    remedy: "Use letters of rwm, each once.",
  });
}

/** What goes into /etc/resolv.conf and /etc/hosts stays on its line. */
function checkResolver({ dns, dnsOptions, dnsSearch, domainname = "" }: ContainerSpec): void {
  const address = dns.find((server) => isIP(server) === 0);
  if (address !== undefined) {
    throw new Fault("invalid", `bad nameserver address: ParseAddr(${quote(address)}): unable to parse IP`);
  }
  const broken = [...dnsOptions, ...dnsSearch, domainname].find((text) => /[\0-\x1f]/.test(text));
  if (broken !== undefined) throw new Fault("invalid", `bad DNS option or domain: ${quote(broken)}`);
}

function checkNetwork(spec: ContainerSpec): string[] {
  const mode = parseNetworkMode(spec.networkMode);
  for (const endpoint of spec.endpoints) checkEndpointRequest(endpoint);
  if (mode.kind === "namespace" && !isAbsolute(mode.path)) {
    throw new Fault("invalid", `invalid network namespace ${quote(mode.path)}: it is an absolute path`);
  }
  readExposeLabel(spec.labels);
  const publishes = spec.ports.length > 0 || spec.publishAll;
  if (mode.kind === "host" && publishes) return ["Published ports are discarded when using host network mode"];
  if (mode.kind !== "container") return [];
  const conflicts: [boolean, string][] = [
    [mode.containerId === "", "invalid container format container:<name|id>"],
    [spec.hostname !== undefined, "conflicting options: hostname and the network mode"],
    [spec.dns.length > 0, "conflicting options: dns and the network mode"],
    [spec.extraHosts.length > 0, "conflicting options: custom host-to-IP mapping and the network mode"],
    [publishes, "conflicting options: port publishing and the container type network mode"],
    [spec.exposedPorts.length > 0, "conflicting options: port exposing and the container type network mode"],
  ];
  const conflict = conflicts.find(([applies]) => applies);
  if (conflict !== undefined) throw new Fault("invalid", conflict[1]);
  return [];
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
