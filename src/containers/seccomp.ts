import type { SeccompProfile, SeccompRule } from "./runtime-spec.ts";
import { allowedAlways, allowedByArchitecture, allowedByCapability, allowedFrom4_8 } from "./seccomp-syscalls.ts";

export interface SeccompFacts {
  /** `amd64` or `arm64`, as images name it. */
  readonly architecture: string;
  /** Such as `6.1.0-13-amd64`. */
  readonly kernelVersion: string;
  /** The container's bounding set. */
  readonly capabilities: readonly string[];
}

/**
 * The allow-list of system calls, equal in effect to Docker's default: all else fails with EPERM, and new namespaces are
 * for those with CAP_SYS_ADMIN. Names that the machine's libseccomp does not know are skipped by the runtimes.
 */
export function seccompProfile(facts: SeccompFacts): SeccompProfile {
  const capabilities = new Set(facts.capabilities);
  const names = new Set([
    ...allowedAlways,
    ...(atLeast(facts.kernelVersion, 4, 8) ? allowedFrom4_8 : []),
    ...(allowedByArchitecture[facts.architecture] ?? []),
    ...Object.entries(allowedByCapability).flatMap(([capability, names]) =>
      capabilities.has(capability) ? names : [],
    ),
  ]);
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: errno.EPERM,
    architectures: architecturesOf(facts.architecture),
    syscalls: [
      { names: [...names].sort(), action: "SCMP_ACT_ALLOW" },
      ...personalityRules(),
      socketRule(),
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
const addressFamilyVsock = 40;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: the flags of clone(2) that make namespaces. */
const namespaceFlags = 0x7e02_0000;

/** Without CAP_SYS_ADMIN no new namespaces. clone3 has its flags in memory, where a filter cannot look: ENOSYS makes the C library fall back to clone. */
function cloneRules(): SeccompRule[] {
  return [
    {
      names: ["clone"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value: namespaceFlags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
    },
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: errno.ENOSYS },
  ];
}

/** PER_LINUX, PER_LINUX32, both with UNAME26, and the question for the present one. */
function personalityRules(): SeccompRule[] {
  return [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff].map((value) => ({
    names: ["personality"],
    action: "SCMP_ACT_ALLOW",
    args: [{ index: 0, value, op: "SCMP_CMP_EQ" }],
  }));
}

/** VM sockets know no network namespaces: they would reach the hypervisor. */
function socketRule(): SeccompRule {
  return {
    names: ["socket"],
    action: "SCMP_ACT_ALLOW",
    args: [{ index: 0, value: addressFamilyVsock, op: "SCMP_CMP_NE" }],
  };
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

function atLeast(version: string, major: number, minor: number): boolean {
  const [, first = "0", second = "0"] = /^([0-9]+)\.([0-9]+)/.exec(version) ?? [];
  return Number(first) > major || (Number(first) === major && Number(second) >= minor);
}
