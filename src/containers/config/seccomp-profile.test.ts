import assert from "node:assert/strict";
import { test } from "node:test";
import { loadSeccompProfile } from "./seccomp-profile.ts";
import type { SeccompFacts } from "./seccomp.ts";

const facts: SeccompFacts = {
  architecture: "amd64",
  kernelVersion: "6.1.0-13-amd64",
  capabilities: ["CAP_CHOWN", "CAP_SYS_CHROOT"],
};

function load(profile: unknown, more: Partial<SeccompFacts> = {}): ReturnType<typeof loadSeccompProfile> {
  return loadSeccompProfile(typeof profile === "string" ? profile : JSON.stringify(profile), { ...facts, ...more });
}

/** The names of the rules that hold in the container. */
function namesOf(rules: readonly unknown[], more: Partial<SeccompFacts> = {}): string[] {
  return (load({ defaultAction: "SCMP_ACT_ERRNO", syscalls: rules }, more)?.syscalls ?? []).flatMap(
    ({ names }) => names,
  );
}

const rule = { action: "SCMP_ACT_ALLOW" };

test("loadSeccompProfile: an empty profile is no filter", () => {
  assert.equal(load({}), undefined);
  assert.equal(load({ defaultAction: "", syscalls: null }), undefined);
});

test("loadSeccompProfile: keeps what the runtimes know", () => {
  const args = [{ index: 0, value: 2114060288, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }];
  assert.deepEqual(
    load({
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 38,
      architectures: ["SCMP_ARCH_X86_64"],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      syscalls: [{ names: ["clone"], action: "SCMP_ACT_ALLOW", args, comment: "", includes: {}, excludes: null }],
      comment: "mine",
    }),
    {
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 38,
      architectures: ["SCMP_ARCH_X86_64"],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      syscalls: [{ names: ["clone"], action: "SCMP_ACT_ALLOW", args }],
    },
  );
});

test("loadSeccompProfile: archMap gives the architectures of this machine", () => {
  const archMap = [
    { architecture: "SCMP_ARCH_AARCH64", subArchitectures: ["SCMP_ARCH_ARM"] },
    { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
  ];
  const profile = { defaultAction: "SCMP_ACT_ALLOW", archMap };
  assert.deepEqual(load(profile)?.architectures, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
  assert.deepEqual(load(profile, { architecture: "arm64" })?.architectures, ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]);
});

test("loadSeccompProfile: rules for capabilities, architectures and kernels hold where they say so", () => {
  const rules = [
    { ...rule, name: "always" },
    { ...rule, names: ["with-chroot"], includes: { caps: ["CAP_SYS_CHROOT"] } },
    { ...rule, names: ["with-both"], includes: { caps: ["CAP_SYS_CHROOT", "CAP_SYS_ADMIN"] } },
    { ...rule, names: ["without-admin"], excludes: { caps: ["CAP_SYS_ADMIN"] } },
    { ...rule, names: ["on-arm"], includes: { arches: ["arm64", "arm"] } },
    { ...rule, names: ["not-on-amd"], excludes: { arches: ["amd64"] } },
    { ...rule, names: ["from-4.8"], includes: { minKernel: "4.8" } },
    { ...rule, names: ["from-6.2"], includes: { minKernel: "6.2" } },
    { ...rule, names: ["before-6.1"], excludes: { minKernel: "6.1" } },
  ];
  assert.deepEqual(namesOf(rules), ["always", "with-chroot", "without-admin", "from-4.8"]);
  assert.deepEqual(namesOf(rules, { capabilities: ["CAP_SYS_CHROOT", "CAP_SYS_ADMIN"], kernelVersion: "6.10.1" }), [
    "always",
    "with-chroot",
    "with-both",
    "from-4.8",
    "from-6.2",
  ]);
  assert.deepEqual(namesOf(rules, { architecture: "arm64", capabilities: [], kernelVersion: "4.7.0" }), [
    "always",
    "without-admin",
    "on-arm",
    "not-on-amd",
    "before-6.1",
  ]);
});

const refusals: [string, unknown, RegExp][] = [
  ["no JSON", "{", /^decoding seccomp profile failed: /],
  ["no object", [], /^decoding seccomp profile failed: it is no JSON object$/],
  ["a list that is none", { syscalls: {} }, /^decoding seccomp profile failed: syscalls is no list$/],
  ["a rule that is none", { syscalls: [{ names: "mount" }] }, /^decoding seccomp profile failed: a rule of syscalls/],
  [
    "an unknown operator",
    { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ ...rule, name: "a", args: [{ index: 0, value: 1, op: "LIKE" }] }] },
    /^decoding seccomp profile failed/,
  ],
  [
    "a number that loses digits",
    '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":18446744073709551615,"op":"SCMP_CMP_EQ"}]}]}',
    /too large$/,
  ],
  [
    "both lists of architectures",
    { defaultAction: "SCMP_ACT_ALLOW", architectures: ["a"], archMap: [{}] },
    /^both 'architectures' and 'archMap' are specified/,
  ],
  [
    "name and names",
    { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ ...rule, name: "a", names: ["b"] }] },
    /^both 'name' and 'names' are specified/,
  ],
  ["an unknown action", { defaultAction: "SCMP_ACT_SHRUG" }, /^unknown action "SCMP_ACT_SHRUG"/],
  [
    "a bad kernel",
    { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ ...rule, name: "a", includes: { minKernel: "new" } }] },
    /^invalid kernel version: "new"$/,
  ],
];

for (const [what, profile, message] of refusals) {
  test(`loadSeccompProfile: refuses ${what}`, () => {
    assert.throws(() => load(profile), { kind: "invalid", message });
  });
}

test("loadSeccompProfile: a listener is not supported, and said so", () => {
  const listening = { defaultAction: "SCMP_ACT_NOTIFY", listenerPath: "/run/x" };
  assert.throws(() => load(listening), { kind: "unsupported" });
  assert.throws(() => load({ defaultAction: "SCMP_ACT_NOTIFY" }), { kind: "unsupported" });
});
