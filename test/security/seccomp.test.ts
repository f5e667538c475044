import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type TestDaemon, startDaemon } from "../fixtures/daemon.ts";
import { buildProgram } from "./build-program.ts";

let daemon: TestDaemon;
let probe: string;
before(async () => {
  [daemon, probe] = await Promise.all([startDaemon({ busybox: true }), buildProgram("probe")]);
});
after(async () => await daemon[Symbol.asyncDispose]());

/** How each call ended in a container with these flags; all that the probe knows unless names are given. */
async function tryCalls(flags: readonly string[], names: readonly string[] = []): Promise<Map<string, string>> {
  const { code, stdout, stderr } = await daemon.docker(
    ...["run", "--rm", "-v", `${probe}:/probe:ro`, ...flags, "busybox", "/probe", ...names],
  );
  assert.equal(code, 0, stderr);
  return readResults(stdout);
}

function readResults(text: string): Map<string, string> {
  const lines = text.trim().split("\n");
  return new Map(lines.map((line) => line.split(" ") as [string, string]));
}

function names(text: string): string[] {
  return text.trim().split(/\s+/);
}

/** Refused with EPERM to an ordinary container. `i386:` is the call by int 0x80, `x32:` the one with the x32 bit. */
const refused = names(`
  mount umount2 pivot_root fsopen fsconfig fsmount fspick move_mount open_tree mount_setattr
  unshare-user unshare-net unshare-files setns clone-user clone-mount clone-net clone-pid clone-uts clone-ipc clone-cgroup
  reboot kexec_load kexec_file_load init_module finit_module delete_module swapon swapoff acct settimeofday clock_settime
  open_by_handle_at perf_event_open bpf quotactl nfsservctl lookup_dcookie keyctl add_key request_key userfaultfd
  io_uring_setup io_uring_enter io_uring_register kcmp pidfd_getfd process_madvise get_mempolicy set_mempolicy mbind move_pages
  migrate_pages iopl ioperm syslog vhangup sethostname setdomainname fanotify_init sysfs ustat uselib _sysctl create_module
  query_module personality-no-randomize socket-vsock socket-alg socket-decnet socket-unknown
  x32:mount x32:keyctl
  i386:mount i386:umount2 i386:unshare-user i386:clone-user i386:setns i386:reboot i386:init_module i386:keyctl i386:bpf
  i386:stime i386:clock_settime64 i386:vm86 i386:vm86old i386:io_uring_setup i386:userfaultfd i386:socket-vsock i386:socket-alg
`);

/** Not there at all: clone3, whose flags a filter cannot see; odd personalities; what is newer than the filter. */
const absent = names("clone3 i386:clone3 personality-odd newer-than-all");

/** The filter lets them through: they work, or fail for what was given to them. */
const allowed: Readonly<Record<string, string>> = {
  clone: "ok",
  ptrace: "ok",
  process_vm_readv: "ok",
  process_vm_writev: "ok",
  name_to_handle_at: "EFAULT",
  chroot: "EFAULT",
  "personality-query": "ok",
  "personality-linux32": "ok",
  "socket-unix": "ok",
  "socket-inet6": "ok",
  "socket-netlink": "ok",
  "socket-packet": "ok",
  openat2: "EINVAL",
  memfd_create: "EFAULT",
  "i386:getpid": "ok",
};

/** What the filter opens with a capability. */
const opened: Readonly<Record<string, string[]>> = {
  SYS_ADMIN: names(`
    mount umount2 fsopen fsconfig fsmount fspick move_mount open_tree mount_setattr unshare-user unshare-net unshare-files setns
    clone-user clone-mount clone-net clone-pid clone-uts clone-ipc clone-cgroup clone3 perf_event_open bpf quotactl lookup_dcookie
    sethostname setdomainname fanotify_init x32:mount i386:mount i386:umount2 i386:unshare-user i386:clone-user i386:clone3
    i386:setns i386:bpf
  `),
  SYS_BOOT: names("reboot i386:reboot"),
  SYS_MODULE: names("init_module finit_module delete_module i386:init_module"),
  SYS_PACCT: names("acct"),
  SYS_PTRACE: names("kcmp pidfd_getfd process_madvise"),
  SYS_RAWIO: names("iopl ioperm"),
  SYS_TIME: names("settimeofday clock_settime i386:stime i386:clock_settime64"),
  SYS_TTY_CONFIG: names("vhangup"),
  SYS_NICE: names("get_mempolicy set_mempolicy mbind"),
  SYSLOG: names("syslog"),
  BPF: names("bpf i386:bpf"),
  PERFMON: names("perf_event_open"),
  DAC_READ_SEARCH: names("open_by_handle_at"),
};

function checkDefault(results: ReadonlyMap<string, string>): void {
  for (const name of refused) assert.equal(results.get(name), "EPERM", name);
  for (const name of absent) assert.equal(results.get(name), "ENOSYS", name);
  for (const [name, result] of Object.entries(allowed)) assert.equal(results.get(name), result, name);
}

// The second container has the program that the first had compiled.
for (const flags of [[], [], ["--runtime", "runc"]]) {
  test(`seccomp: dangerous calls are refused, ordinary ones work (${flags.join(" ") || "crun"})`, async () => {
    checkDefault(await tryCalls(flags));
  });
}

test("seccomp: an exec'd program has the same filter, also with --privileged", async () => {
  const { stdout } = await daemon.docker("run", "-d", "-v", `${probe}:/probe:ro`, "busybox", "sleep", "60");
  const id = stdout.trim();
  checkDefault(readResults((await daemon.docker("exec", id, "/probe")).stdout));
  const privileged = readResults((await daemon.docker("exec", "--privileged", id, "/probe", "mount", "keyctl")).stdout);
  assert.deepEqual([...privileged.values()], ["EPERM", "EPERM"]);
  await daemon.docker("rm", "-f", id);
});

test("seccomp: another user and --cap-drop ALL open nothing", async () => {
  const results = await tryCalls(["--user", "1000", "--cap-drop", "ALL"]);
  for (const name of [...refused, "chroot"]) assert.equal(results.get(name), "EPERM", name);
});

test("seccomp: the filter refuses, not only the kernel: without it these calls get through", async () => {
  const open = names(
    "unshare-user clone-user keyctl add_key io_uring_setup get_mempolicy move_pages personality-odd socket-vsock " +
      "mount kcmp perf_event_open open_by_handle_at settimeofday i386:keyctl i386:unshare-user",
  );
  const results = await tryCalls(["--security-opt", "seccomp=unconfined"], open);
  for (const name of open) assert.notEqual(results.get(name), "EPERM", name);
});

for (const [capability, calls] of Object.entries(opened)) {
  test(`seccomp: --cap-add ${capability} opens its calls and no others`, async () => {
    const results = await tryCalls(["--cap-add", capability]);
    for (const name of calls) {
      // Calls that this kernel was built without answer ENOSYS, which is not the filter's EPERM; for clone3 it would be.
      const closed = name.endsWith("clone3") ? "ENOSYS" : "EPERM";
      assert.notEqual(results.get(name) ?? closed, closed, name);
    }
    for (const name of refused.filter((one) => !calls.includes(one))) {
      assert.equal(results.get(name), "EPERM", name);
    }
  });
}

for (const capability of ["SYS_ADMIN", "SYS_PTRACE", "SYS_BOOT"] as const) {
  test(`seccomp: --cap-add ${capability} opens the same with runc`, async () => {
    const flags = ["--cap-add", capability];
    assert.deepEqual(await tryCalls([...flags, "--runtime", "runc"]), await tryCalls(flags));
  });
}

test("seccomp: what no capability opens stays closed with all of them", async () => {
  const results = await tryCalls(["--cap-add", "ALL"]);
  const never = names(
    "pivot_root kexec_load kexec_file_load swapon swapoff keyctl add_key request_key userfaultfd io_uring_setup io_uring_enter " +
      "io_uring_register move_pages migrate_pages nfsservctl socket-vsock socket-alg sysfs ustat uselib i386:keyctl i386:vm86",
  );
  for (const name of never) assert.equal(results.get(name), "EPERM", name);
});
