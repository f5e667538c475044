import { kernelAtLeast } from "#core/kernel-version";
import type { SeccompProfile, SeccompRule } from "./runtime-spec.ts";
import {
  allowedAlways,
  allowedByArchitecture,
  allowedByCapability,
  allowedFrom4_8,
  deniedAlways,
} from "./seccomp-syscalls.ts";

export interface SeccompFacts {
  /** `amd64` or `arm64`, as images name it. */
  readonly architecture: string;
  /** Such as `6.1.0-13-amd64`. */
  readonly kernelVersion: string;
  /** The container's bounding set. */
  readonly capabilities: readonly string[];
}

/**
 * The allow-list of system calls, equal in effect to Docker's default: what is known and not allowed fails with EPERM, and new
 * namespaces are for those with CAP_SYS_ADMIN. Names that the machine's libseccomp does not know are skipped by the runtimes;
 * they, and calls that are newer than these lists, fail with ENOSYS, so that a C library newer than the machine falls back to
 * older calls instead of giving up.
 */
export function seccompProfile(facts: SeccompFacts): SeccompProfile {
  const capabilities = new Set(facts.capabilities);
  const allowed = new Set([
    ...allowedAlways,
    ...(kernelAtLeast(facts.kernelVersion, 4, 8) ? allowedFrom4_8 : []),
    ...(allowedByArchitecture[facts.architecture] ?? []),
    ...Object.entries(allowedByCapability).flatMap(([capability, names]) =>
      capabilities.has(capability) ? names : [],
    ),
  ]);
  const known = [...deniedAlways, ...allowedFrom4_8, ...Object.values(allowedByCapability).flat()];
  const denied = new Set(known.filter((name) => !allowed.has(name) && !filteredByArgument.has(name)));
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: errno.ENOSYS,
    architectures: architecturesOf(facts.architecture),
    syscalls: [
      { names: [...allowed].sort(), action: "SCMP_ACT_ALLOW" },
      { names: [...denied].sort(), action: "SCMP_ACT_ERRNO", errnoRet: errno.EPERM },
      ...personalityRules(),
      ...socketRules(),
      ...(capabilities.has("CAP_SYS_ADMIN") ? [] : cloneRules()),
    ],
  };
}

/** The profile as JSON text; made once for each set of capabilities, as starts come by the thousand and profiles by the handful. */
export function seccompText(facts: SeccompFacts): string {
  const key = `${facts.architecture} ${facts.kernelVersion} ${facts.capabilities.join()}`;
  const known = texts.get(key);
  if (known !== undefined) return known;
  if (texts.size >= keptTexts) texts.clear();
  const text = JSON.stringify(seccompProfile(facts));
  texts.set(key, text);
  return text;
}

const keptTexts = 32;
const texts = new Map<string, string>();
const errno = { EPERM: 1, ENOSYS: 38 } as const;
const filteredByArgument: ReadonlySet<string> = new Set(["clone", "clone3"]);

/** AF_UNSPEC to AF_ROSE: the first families, all of them long in use. */
const familiesBelow = 12;

/** NETBEUI, SECURITY, KEY, NETLINK, PACKET, ASH, RDS, SNA, PPPOX, LLC, IB, MPLS, CAN, TIPC, BLUETOOTH, RXRPC, ISDN, PHONET, IEEE802154, NFC, KCM, QIPCRTR, SMC, XDP, MCTP. */
const laterFamilies = [
  13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44, 45,
];

/** Those that are refused: DECnet, ECONET, ATMSVC, IRDA, WANPIPE, IUCV, CAIF, ALG, VSOCK. */
const refusedFamilies = [12, 19, 20, 23, 25, 34, 37, 38, 40];

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: the flags of clone(2) that make namespaces. */
const namespaceFlags = [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];

/** Without CAP_SYS_ADMIN no new namespaces. clone3 has its flags in memory, where a filter cannot look: ENOSYS makes the C library fall back to clone. */
function cloneRules(): SeccompRule[] {
  const mask = namespaceFlags.reduce((sum, flag) => sum + flag, 0);
  return [
    allow("clone", "SCMP_CMP_MASKED_EQ", mask, 0),
    ...namespaceFlags.map((flag) => refuse("clone", "SCMP_CMP_MASKED_EQ", flag, flag)),
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: errno.ENOSYS },
  ];
}

/** Allowed: PER_LINUX, PER_LINUX32, both with UNAME26, and the question for the present one. Debuggers expect EPERM for ADDR_NO_RANDOMIZE. */
function personalityRules(): SeccompRule[] {
  return [
    ...[0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff].map((value) => allow("personality", "SCMP_CMP_EQ", value)),
    ...[0x4_0000, 0x4_0008].map((value) => refuse("personality", "SCMP_CMP_EQ", value)),
  ];
}

/**
 * Sockets of the families that Docker allows. Not among them: VSOCK, which knows no network namespaces and reaches the
 * hypervisor; ALG, whose kernel crypto let any user write to the page cache (CVE-2026-31431); and long dead protocols.
 */
function socketRules(): SeccompRule[] {
  return [
    allow("socket", "SCMP_CMP_LT", familiesBelow),
    ...laterFamilies.map((family) => allow("socket", "SCMP_CMP_EQ", family)),
    ...refusedFamilies.map((family) => refuse("socket", "SCMP_CMP_EQ", family)),
    refuse("socket", "SCMP_CMP_GT", Math.max(...laterFamilies)),
  ];
}

/** By the call's first argument. */
function allow(name: string, op: string, value: number, valueTwo?: number): SeccompRule {
  const compared = valueTwo === undefined ? { value } : { value, valueTwo };
  return { names: [name], action: "SCMP_ACT_ALLOW", args: [{ index: 0, ...compared, op }] };
}

function refuse(name: string, op: string, value: number, valueTwo?: number): SeccompRule {
  return { ...allow(name, op, value, valueTwo), action: "SCMP_ACT_ERRNO", errnoRet: errno.EPERM };
}

function architecturesOf(architecture: string): string[] {
  switch (architecture) {
    case "amd64":
      return ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];
    case "arm64":
      return ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"];
    default:
      return [];
  }
}
