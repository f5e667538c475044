import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultCapabilities } from "./capabilities.ts";
import type { SeccompProfile } from "./runtime-spec.ts";
import { type SeccompFacts, seccompProfile, seccompText } from "./seccomp.ts";

const plain: SeccompFacts = {
  architecture: "amd64",
  kernelVersion: "6.1.0-13-amd64",
  capabilities: defaultCapabilities,
};

function allowed(profile: SeccompProfile): Set<string> {
  const free = profile.syscalls.filter((rule) => rule.action === "SCMP_ACT_ALLOW" && rule.args === undefined);
  return new Set(free.flatMap((rule) => rule.names));
}

test("seccompProfile: what reaches past the container is not allowed by default", () => {
  const names = allowed(seccompProfile(plain));
  const dangerous =
    "bpf clone clone3 unshare setns mount umount2 pivot_root ptrace_scope open_by_handle_at init_module finit_module delete_module " +
    "kexec_load kexec_file_load reboot swapon swapoff add_key keyctl request_key perf_event_open userfaultfd io_uring_setup " +
    "io_uring_enter io_uring_register iopl ioperm settimeofday clock_settime acct quotactl syslog kcmp mbind set_mempolicy " +
    "move_pages fsopen fsmount open_tree move_mount mount_setattr socket personality vhangup nfsservctl lookup_dcookie";
  for (const name of dangerous.split(" ")) assert.ok(!names.has(name), name);
  for (const name of ["read", "execve", "chroot", "ptrace", "openat2", "landlock_restrict_self"]) {
    assert.ok(names.has(name), name);
  }
});

test("seccompProfile: a capability opens its calls", () => {
  const withCapability = (name: string): Set<string> =>
    allowed(seccompProfile({ ...plain, capabilities: [...defaultCapabilities, name] }));
  const cases: [string, string[]][] = [
    ["CAP_SYS_ADMIN", ["mount", "unshare", "setns", "clone", "clone3", "bpf"]],
    ["CAP_SYS_MODULE", ["init_module", "finit_module"]],
    ["CAP_SYS_TIME", ["settimeofday", "clock_settime"]],
    ["CAP_SYS_BOOT", ["reboot"]],
    ["CAP_DAC_READ_SEARCH", ["open_by_handle_at"]],
    ["CAP_BPF", ["bpf"]],
  ];
  for (const [capability, names] of cases) {
    for (const name of names) assert.ok(withCapability(capability).has(name), `${capability} ${name}`);
  }
  assert.ok(!allowed(seccompProfile({ ...plain, capabilities: [] })).has("chroot"));
});

test("seccompProfile: clone makes no namespaces, clone3 sends callers back to clone", () => {
  const { syscalls } = seccompProfile(plain);
  const [allow, ...refusals] = syscalls.filter((rule) => rule.names[0] === "clone");
  assert.deepEqual(allow, {
    names: ["clone"],
    action: "SCMP_ACT_ALLOW",
    args: [{ index: 0, value: 0x7e02_0000, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
  });
  assert.equal(refusals.length, 7);
  assert.ok(refusals.every((rule) => rule.action === "SCMP_ACT_ERRNO" && rule.errnoRet === 1));
  assert.deepEqual(
    syscalls.filter((rule) => rule.names[0] === "clone3"),
    [{ names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38 }],
  );
});

test("seccompProfile: what is known is refused with EPERM, what is unknown with ENOSYS; no call is in two lists", () => {
  for (const capabilities of [defaultCapabilities, [], ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE"]]) {
    for (const kernelVersion of ["6.1.0", "4.4.0"]) {
      const profile = seccompProfile({ ...plain, capabilities, kernelVersion });
      assert.equal(profile.defaultErrnoRet, 38);
      const plainRules = profile.syscalls.filter((rule) => rule.args === undefined).flatMap((rule) => rule.names);
      assert.equal(new Set(plainRules).size, plainRules.length);
      const refused = profile.syscalls.find((rule) => rule.errnoRet === 1 && rule.args === undefined)?.names ?? [];
      assert.ok(refused.includes("keyctl") && refused.includes("reboot"));
      assert.equal(refused.includes("mount"), !capabilities.includes("CAP_SYS_ADMIN"));
    }
  }
});

test("seccompProfile: ptrace from Linux 4.8 on, and the architecture's own calls", () => {
  assert.ok(!allowed(seccompProfile({ ...plain, kernelVersion: "4.4.0" })).has("ptrace"));
  assert.ok(allowed(seccompProfile({ ...plain, kernelVersion: "4.8.0" })).has("ptrace"));
  const arm = seccompProfile({ ...plain, architecture: "arm64" });
  assert.ok(allowed(arm).has("set_tls") && !allowed(arm).has("arch_prctl"));
  assert.deepEqual(arm.architectures, ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]);
});

test("seccompText: one text for the same facts", () => {
  assert.equal(seccompText(plain), seccompText({ ...plain, capabilities: [...defaultCapabilities] }));
  assert.deepEqual(JSON.parse(seccompText(plain)), seccompProfile(plain));
});
