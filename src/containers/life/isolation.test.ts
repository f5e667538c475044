import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { after, before, test } from "node:test";
import { type Bed, openBed } from "../testing/bed.ts";

let bed: Bed;
before(async () => {
  bed = await openBed();
});
after(async () => await bed[Symbol.asyncDispose]());

async function sh(script: string, spec: Parameters<Bed["run"]>[0] = {}): Promise<string> {
  const { stdout, stderr, id } = await bed.run({ command: ["sh", "-c", script], ...spec });
  await bed.containers.remove(id, { force: true, volumes: false });
  return stdout + stderr;
}

for (const runtime of ["crun", "runc"]) {
  test(`isolation (${runtime}): own pid, mount, uts, ipc, cgroup and network namespaces`, async () => {
    const script =
      "for n in pid mnt uts ipc cgroup net; do stat -L -c %i /proc/self/ns/$n; done; ls /sys/class/net; echo $$";
    const inside = (await sh(script, { runtime })).trim().split("\n");
    const outside = (await sh(script, { runtime, networkMode: "host" })).trim().split("\n");
    for (const [index, name] of ["pid", "mnt", "uts", "ipc", "cgroup", "net"].entries()) {
      assert.notEqual(inside[index], String(statSync(`/proc/self/ns/${name}`).ino), name);
    }
    assert.equal(outside[5], String(statSync("/proc/self/ns/net").ino));
    assert.deepEqual(inside.slice(6), ["lo", "1"]);
  });

  test(`isolation (${runtime}): the kernel's sensitive files are masked or read-only`, async () => {
    const output = await sh(
      [
        "dd if=/proc/kcore bs=1 count=1 2>/dev/null | wc -c",
        "ls /proc/scsi /sys/firmware /proc/acpi 2>/dev/null | grep -v : | grep -c .",
        "echo x > /proc/sys/kernel/domainname",
        "echo b > /proc/sysrq-trigger",
        "touch /sys/x",
        "mkdir /sys/fs/cgroup/memory/x",
      ].join("; "),
      { runtime },
    );
    const [kcore, listed, ...refusals] = output.trim().split("\n");
    assert.deepEqual([kcore, listed], ["0", "0"]);
    assert.equal(refusals.length, 4, output);
    for (const refusal of refusals) assert.match(refusal, /Read-only file system|nonexistent|No such file/);
  });

  test(`isolation (${runtime}): Docker's capabilities and a seccomp filter; devices stay closed`, async () => {
    const output = await sh(
      "grep -E '^(CapEff|CapBnd|CapInh|Seccomp|NoNewPrivs):' /proc/self/status; ls /dev | sort | tr '\\n' ' '; head -c1 /dev/urandom | wc -c",
      { runtime, securityOptions: ["no-new-privileges"] },
    );
    assert.match(output, /CapInh:\t0{16}\n/);
    assert.match(output, /CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n/);
    assert.match(output, /NoNewPrivs:\t1\n/);
    assert.match(output, /Seccomp:\t2\n/);
    assert.match(output, /(?:core )?fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero 1/);
  });

  test(`isolation (${runtime}): a device node can be made and not be opened`, async () => {
    const output = await sh("busybox mknod /disk b 254 0 && echo made; dd if=/disk count=1 of=/dev/null", { runtime });
    assert.match(output, /made\n/);
    assert.match(output, /Operation not permitted/);
  });
}

test("isolation: new namespaces, mounts, keys and tracing of the kernel are refused; privileged is another matter", async () => {
  const script = "unshare -U true; unshare -m true; mount -t tmpfs x /tmp; busybox chroot / true && echo chroot works";
  const confined = await sh(script);
  assert.equal((confined.match(/Operation not permitted|permission denied/g) ?? []).length, 3, confined);
  assert.match(confined, /chroot works/);
  const free = await sh("unshare -m true && mount -t tmpfs x /tmp && echo free", { privileged: true });
  assert.match(free, /free/);
});

test("isolation: a filter compiled once is the same for those that follow", async () => {
  const probe = "unshare -U true; grep Seccomp_filters /proc/self/status";
  const first = await sh(probe, { capDrop: ["AUDIT_WRITE"] });
  const second = await sh(probe, { capDrop: ["AUDIT_WRITE"] });
  assert.equal(second, first);
  assert.match(second, /Seccomp_filters:\t1/);
});

test("isolation: seccomp=unconfined has no filter", async () => {
  assert.match(await sh("grep Seccomp: /proc/self/status", { securityOptions: ["seccomp=unconfined"] }), /Seccomp:\t0/);
});

test("isolation: an annotation of the runtime's own is refused", async () => {
  await assert.rejects(bed.create({ annotations: { "run.oci.seccomp_bpf_data": "" } }), /reserved for the OCI runtime/);
});

test("isolation: low ports and ping need no privilege in a network of one's own", async () => {
  const script = "cd /proc/sys/net/ipv4; cat ip_unprivileged_port_start ping_group_range";
  assert.equal(await sh(script, { user: "ana" }), "0\n0\t2147483647\n");
  assert.equal(await sh(script, { user: "ana", runtime: "runc" }), "0\n0\t2147483647\n");
});

test("isolation: a zombie is reaped under --init", async () => {
  const script = "(sleep 0.05 & exec sleep 0.01) & sleep 0.3; ps -o stat | grep -c Z";
  assert.equal(await sh(script, { init: true }), "0\n");
});
