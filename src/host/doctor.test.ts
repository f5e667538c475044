import assert from "node:assert/strict";
import { test } from "node:test";
import { examine, type Finding, machineProbe, type Probe } from "./doctor.ts";

const options = { dataRoot: "/var/lib/slipway", socketPath: "/run/slipway/slipway.sock", shimPath: "/shim" };

/** A machine on which all is well; tests take one thing away. */
const healthy: Probe = {
  uid: 0,
  read: (path) =>
    ({
      "/proc/sys/kernel/osrelease": "6.1.0-1-amd64\n",
      "/proc/filesystems": "nodev\tproc\nnodev\toverlay\n",
      "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
      "/proc/self/status": "Name:\tx\nSeccomp:\t0\n",
      "/proc/sys/net/ipv4/ip_forward": "1\n",
    })[path],
  exists: (path) => path !== "/run/docker.sock",
  mayWrite: () => true,
  firstLine: (program) => `${program} version 1`,
  disk: () => ({ freeBytes: 1e11, type: 0xef53 }),
  owner: () => undefined,
};

function found(changes: Partial<Probe>, name: string): Finding | undefined {
  return examine({ ...healthy, ...changes }, options).find((finding) => finding.name === name);
}

test("examine: a machine with all in place has nothing to mend", () => {
  assert.deepEqual(
    examine(healthy, options).filter(({ level }) => level !== "ok"),
    [],
  );
});

test("examine: each thing that is missing is named with its remedy", () => {
  const without = (path: string, text?: string) => ({
    read: (asked: string) => (asked === path ? text : healthy.read(asked)),
  });
  const noProgram = (name: string) => ({ firstLine: (program: string) => (program === name ? undefined : "x") });
  const answers = (flag: string, text: string | undefined) => (program: string, args: readonly string[]) =>
    program === "nft" && args[0] === flag ? text : "x";
  const dropping = JSON.stringify({
    nftables: [
      { set: { family: "inet", table: "slipway", name: "bridges", elem: ["slipway0"] } },
      { chain: { family: "ip", table: "filter", name: "FORWARD", hook: "forward", policy: "drop" } },
    ],
  });
  const cases: [string, Partial<Probe>, Finding["level"], RegExp][] = [
    ["user", { uid: 1000 }, "warning", /sudo slipway daemon/],
    ["kernel", without("/proc/sys/kernel/osrelease", "3.10.0"), "failure", /Linux 5\.4/],
    ["overlayfs", { ...without("/proc/filesystems", ""), firstLine: () => undefined }, "failure", /modprobe overlay/],
    ["nftables", noProgram("nft"), "failure", /apt-get install nftables/],
    [
      "other firewall",
      { firstLine: answers("-j", dropping) },
      "warning",
      /^iptables -I FORWARD -i slipway0 -j ACCEPT; /,
    ],
    ["host's firewall", { firstLine: answers("-c", undefined) }, "warning", /nft_dup_ipv4.*--firewall docker/],
    ["cgroups", without("/sys/fs/cgroup/cgroup.controllers", "cpu pids"), "warning", /cgroup_enable=memory/],
    [
      "cgroups",
      { ...without("/sys/fs/cgroup/cgroup.controllers"), exists: () => false },
      "failure",
      /mount -t cgroup2/,
    ],
    [
      "cgroups",
      {
        ...without("/sys/fs/cgroup/cgroup.controllers"),
        exists: (path) => path !== "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes",
      },
      "warning",
      /swapaccount=1/,
    ],
    [
      "OCI runtime",
      { firstLine: (program) => (/^(crun|runc)$/.test(program) ? undefined : "x") },
      "failure",
      /apt-get install crun/,
    ],
    ["ip", noProgram("ip"), "failure", /iproute2/],
    [
      "IP forwarding",
      { ...without("/proc/sys/net/ipv4/ip_forward", "0"), mayWrite: () => false },
      "warning",
      /sysctl -w/,
    ],
    ["shim", { exists: (path) => path !== "/shim" }, "failure", /slipway version once as root/],
    ["disk", { disk: () => ({ freeBytes: 1e6, type: 0 }) }, "failure", /--data-root/],
    ["data folder", { disk: () => ({ freeBytes: 1e12, type: 0x6969 }) }, "failure", /ext4/],
    ["socket", { owner: () => ({ gid: 0, mode: 0o140666 }) }, "warning", /chmod 0660/],
  ];
  for (const [name, changes, level, remedy] of cases) {
    const finding = found(changes, name);
    assert.equal(finding?.level, level, name);
    assert.match(finding?.remedy ?? "", remedy, name);
  }
});

test("examine: a mixed cgroup set-up gets the very mount that helps", () => {
  const read = (path: string): string | undefined =>
    path === "/sys/fs/cgroup/unified/cgroup.controllers" ? "hugetlb\n" : healthy.read(path);
  const exists = (path: string): boolean => !path.includes("hugetlb") && healthy.exists(path);
  assert.match(
    found({ read, exists }, "hybrid cgroups")?.remedy ?? "",
    /mount -t cgroup -o hugetlb cgroup \/sys\/fs\/cgroup\/hugetlb/,
  );
});

test("machineProbe: answers about this machine", () => {
  const findings = examine(machineProbe, options);
  assert.ok(findings.length >= 14);
  assert.ok(findings.every(({ level, remedy }) => (level === "ok") === (remedy === undefined)));
});
