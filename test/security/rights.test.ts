import assert from "node:assert/strict";
import { readFileSync, readlinkSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { after, before, test } from "node:test";
import { type TestDaemon, startDaemon } from "../fixtures/daemon.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await startDaemon({ busybox: true });
});
after(async () => await daemon[Symbol.asyncDispose]());

/** What a process in a container may do, as the kernel tells it from inside. */
interface Rights {
  readonly user: string;
  /** Inheritable, permitted, effective, bounding, ambient. */
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: string;
  readonly seccomp: string;
  /** Namespaces that are the host's. */
  readonly shared: string;
  /** Mount points with `ro` or `rw`; those of the cgroup controllers as one. */
  readonly mounts: readonly string[];
  /** Device nodes in /dev. */
  readonly devices: string;
}

const namespaces = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
const script = [
  "id",
  "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status",
  `for n in ${namespaces.join(" ")}; do readlink /proc/self/ns/$n; done`,
  "cut -d' ' -f5,6 /proc/self/mountinfo",
  "cd /dev; for f in *; do [ ! -L $f ] && [ -c $f -o -b $f ] && echo device $f; done; true",
].join("; ");

async function rightsWith(...flags: readonly string[]): Promise<Rights> {
  // The docker CLI knows no `--userns auto`.
  const program = flags.includes("auto") ? daemon.slipway : daemon.docker;
  const { stdout, stderr, code } = await program.call(daemon, "run", "--rm", ...flags, "busybox", "sh", "-c", script);
  assert.equal(code, 0, stderr);
  const lines = stdout.trim().split("\n");
  const field = (name: string): string => lines.find((line) => line.startsWith(`${name}:`))?.split("\t")[1] ?? "";
  const mounts = lines.flatMap((line) => {
    const [, point, access] = /^(\/\S*) (r[ow])\b/.exec(line) ?? [];
    return point === undefined ? [] : [`${point.replace(/^\/sys\/fs\/cgroup\/.*/, "/sys/fs/cgroup/*")} ${access}`];
  });
  return {
    user: lines[0] ?? "",
    capabilities: ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(field),
    noNewPrivileges: field("NoNewPrivs"),
    seccomp: field("Seccomp"),
    shared: namespaces.filter((name) => lines.includes(readlinkSync(`/proc/self/ns/${name}`))).join(" "),
    mounts: [...new Set(mounts)].toSorted(),
    devices: lines.flatMap((line) => /^device (.*)$/.exec(line)?.slice(1) ?? []).join(" "),
  };
}

const none = "0000000000000000";
const ordinary = "00000000a80425fb";
const daemonsOwn = /^CapEff:\t(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";

/** A container that was given nothing. */
const plain: Omit<Rights, "mounts"> = {
  user: "uid=0(root) gid=0(root) groups=0(root)",
  capabilities: [none, ordinary, ordinary, ordinary, none],
  noNewPrivileges: "0",
  seccomp: "2",
  shared: "user",
  devices: "full null random tty urandom zero",
};

interface Change extends Partial<Omit<Rights, "mounts">> {
  /** Mounts that are there beyond a plain container's, and those that are not. */
  readonly more?: readonly string[];
  readonly fewer?: readonly string[];
}

function withCapabilities(mask: string): Pick<Rights, "capabilities"> {
  return { capabilities: [none, mask, mask, mask, none] };
}

const nodes = ["full", "null", "random", "tty", "urandom", "zero"].map((name) => `/dev/${name} rw`);
/** Devices cannot be made in a user namespace: the host's are shown. */
const inUserNamespace: Change = { shared: "", more: nodes };

const cases: Record<string, [string[], Change]> = {
  nothing: [[], {}],
  user: [
    ["--user", "1000"],
    {
      user: "uid=1000(app) gid=1000(app) groups=50(staff),1000(app)",
      capabilities: [none, none, none, ordinary, none],
    },
  ],
  "user and group by number": [
    ["--user", "77:88"],
    { user: "uid=77 gid=88 groups=88", capabilities: [none, none, none, ordinary, none] },
  ],
  "group-add": [
    ["--user", "1000:1000", "--group-add", "staff", "--group-add", "4242"],
    {
      user: "uid=1000(app) gid=1000(app) groups=50(staff),1000(app),4242",
      capabilities: [none, none, none, ordinary, none],
    },
  ],
  "cap-drop all": [["--cap-drop", "ALL"], withCapabilities(none)],
  "cap-drop, with and without CAP_": [
    ["--cap-drop", "CAP_CHOWN", "--cap-drop", "net_raw"],
    withCapabilities("00000000a80405fa"),
  ],
  "cap-drop all and cap-add": [
    ["--cap-drop", "all", "--cap-add", "CAP_NET_ADMIN"],
    withCapabilities("0000000000001000"),
  ],
  "cap-add all": [["--cap-add", "ALL"], withCapabilities(daemonsOwn)],
  "cap-add all but one": [
    ["--cap-add", "ALL", "--cap-drop", "CHOWN"],
    withCapabilities((BigInt(`0x${daemonsOwn}`) - 1n).toString(16).padStart(16, "0")),
  ],
  "no-new-privileges": [["--security-opt", "no-new-privileges"], { noNewPrivileges: "1" }],
  "no-new-privileges by colon": [["--security-opt", "no-new-privileges:true"], { noNewPrivileges: "1" }],
  "seccomp unconfined": [["--security-opt", "seccomp=unconfined"], { seccomp: "0" }],
  "seccomp builtin": [["--security-opt", "seccomp=builtin"], {}],
  "apparmor and labels without effect": [
    ["--security-opt", "apparmor=unconfined", "--security-opt", "label=level:s0:c1", "--security-opt", "label:disable"],
    {},
  ],
  "read-only": [["--read-only"], { more: ["/ ro"], fewer: ["/ rw"] }],
  "read-only with tmpfs": [["--read-only", "--tmpfs", "/tmp"], { more: ["/ ro", "/tmp rw"], fewer: ["/ rw"] }],
  "writable cgroups": [
    ["--security-opt", "writable-cgroups=true"],
    { more: ["/sys/fs/cgroup/* rw"], fewer: ["/sys/fs/cgroup/* ro"] },
  ],
  "system paths": [["--security-opt", "systempaths=unconfined"], { fewer: ["*masks"] }],
  "ipc none": [["--ipc", "none"], { fewer: ["/dev/shm rw"] }],
  "ipc shareable": [["--ipc", "shareable"], {}],
  "ipc host": [["--ipc", "host"], { shared: "ipc user" }],
  "pid host": [["--pid", "host"], { shared: "pid user" }],
  "uts host": [["--uts", "host"], { shared: "user uts" }],
  "cgroupns host": [["--cgroupns", "host"], { shared: "cgroup user" }],
  "network host": [["--network", "host"], { shared: "net user" }],
  "network none": [["--network", "none"], {}],
  init: [["--init"], { more: ["/sbin/docker-init ro"] }],
  "userns host": [["--userns", "host"], {}],
  "userns auto": [["--userns", "auto"], inUserNamespace],
  "userns auto and a user": [
    ["--userns", "auto", "--user", "1000:1000"],
    {
      ...inUserNamespace,
      user: "uid=1000(app) gid=1000(app) groups=1000(app)",
      capabilities: [none, none, none, ordinary, none],
    },
  ],
};

/** What a table's line means for the mounts of a plain container. */
function expectedMounts(base: readonly string[], { more = [], fewer = [] }: Change): string[] {
  const isMask = (mount: string): boolean => /^\/(?:proc|sys)\/(?!fs\/cgroup)/.test(mount);
  const gone = (mount: string): boolean => fewer.includes(mount) || (fewer.includes("*masks") && isMask(mount));
  return [...base.filter((mount) => !gone(mount)), ...more].toSorted();
}

for (const runtime of ["crun", "runc"]) {
  const flags = ["--runtime", runtime];
  let plainMounts: Promise<readonly string[]> | undefined;
  for (const [name, [asked, change]] of Object.entries(cases)) {
    test(`rights (${runtime}): ${name}: exactly what was asked for`, async () => {
      // What a plain container's mounts are is isolation.test.ts' subject.
      plainMounts ??= rightsWith(...flags).then(({ mounts }) => mounts);
      const base = await plainMounts;
      const { more: _more, fewer: _fewer, ...rights } = change;
      const found = await rightsWith(...flags, ...asked);
      assert.deepEqual(
        { ...found, mounts: found.mounts.filter((mount) => !mount.startsWith("/sys/fs/cgroup ")) },
        {
          ...plain,
          ...rights,
          mounts: expectedMounts(
            base.filter((mount) => !mount.startsWith("/sys/fs/cgroup ")),
            change,
          ),
        },
      );
    });
  }

  test(`rights (${runtime}): --privileged has all that the daemon has, and namespaces of its own`, async () => {
    const rights = await rightsWith(...flags, "--privileged");
    assert.deepEqual(rights.capabilities, withCapabilities(daemonsOwn).capabilities);
    assert.deepEqual([rights.seccomp, rights.shared, rights.noNewPrivileges], ["0", "user", "0"]);
    assert.ok(rights.mounts.includes("/sys rw") && rights.mounts.includes("/sys/fs/cgroup/* rw"));
    assert.deepEqual(
      rights.mounts.filter((mount) => mount.startsWith("/proc/")),
      [],
    );
    assert.ok(rights.devices.split(" ").length > plain.devices.split(" ").length);
  });
}

test("rights: each capability alone, beside the ordinary ones", async () => {
  const names =
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE".split(
      " ",
    );
  const own = BigInt(`0x${daemonsOwn}`);
  const queue = [...names.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const [bit, name] = next;
      const run = await daemon.docker(
        "run",
        "--rm",
        "--network",
        "none",
        "--cap-add",
        name,
        "busybox",
        "grep",
        "CapEff",
        "/proc/self/status",
      );
      if (((own >> BigInt(bit)) & 1n) === 0n) {
        assert.match(run.stderr, /capability not supported by your kernel or not available in the current environment/);
        continue;
      }
      const mask = (BigInt(`0x${ordinary}`) | (1n << BigInt(bit))).toString(16).padStart(16, "0");
      assert.equal(run.stdout, `CapEff:\t${mask}\n`, name + run.stderr);
    }
  };
  await Promise.all([worker(), worker(), worker()]);
});

test("rights: nobody in a container becomes the owner of the host's /dev/null, nor may change it for all", async () => {
  const before = statSync("/dev/null");
  const change = "chmod 600 /proc/self/fd/0 /dev/stdin; chown 1234 /proc/self/fd/0; true";
  for (const runtime of ["crun", "runc"]) {
    for (const flags of [[], ["--user", "1000"], ["--userns", "auto"], ["--privileged"]]) {
      await daemon.slipway(
        "run",
        "-d",
        "--name",
        "nullish",
        "--runtime",
        runtime,
        ...flags,
        "busybox",
        "sh",
        "-c",
        `${change}; sleep 60`,
      );
      for (const user of ["0", "1234"]) {
        await daemon.docker("exec", "-u", user, "nullish", "sh", "-c", change);
        await daemon.docker("exec", "-d", "-u", user, "nullish", "sh", "-c", change);
      }
      await daemon.docker("rm", "-f", "nullish");
    }
  }
  const { mode, uid, gid } = statSync("/dev/null");
  assert.deepEqual({ mode, uid, gid }, { mode: before.mode, uid: before.uid, gid: before.gid });
});

test("rights: --uts host shows the host's name, and cannot change it", async () => {
  const { stdout } = await daemon.docker(
    "run",
    "--rm",
    "--uts",
    "host",
    "busybox",
    "sh",
    "-c",
    "hostname; hostname x || echo kept",
  );
  assert.equal(stdout, `${hostname()}\nkept\n`);
});
