import assert from "node:assert/strict";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { type TestDaemon, startDaemon } from "../fixtures/daemon.ts";
import { buildProgram } from "./build-program.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await startDaemon({ busybox: true, env: { SECRET_OF_THE_DAEMON: "do-not-tell" } });
});
after(async () => await daemon[Symbol.asyncDispose]());

/** What a script prints in a container with these flags, standard error included. */
async function inside(script: string, ...flags: readonly string[]): Promise<string> {
  const { stdout, stderr } = await daemon.docker("run", "--rm", ...flags, "busybox", "sh", "-c", script);
  return stdout + stderr;
}

/** The `Key:\tvalue` lines of /proc/PID/status. */
function statusFields(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/^(\w+):[ \t]*(.*)$/gm)].map(([, key = "", value = ""]) => [key, value]));
}

interface Mount {
  readonly type: string;
  readonly options: ReadonlySet<string>;
  readonly superOptions: ReadonlySet<string>;
}

/** /proc/self/mountinfo by mount point. */
function mountTable(text: string): Map<string, Mount> {
  const lines = text.trim().split("\n");
  return new Map(
    lines.map((line) => {
      const [left = "", right = ""] = line.split(" - ");
      const [, , , , point = "", options = ""] = left.split(" ");
      const [type = "", , superOptions = ""] = right.split(" ");
      return [point, { type, options: new Set(options.split(",")), superOptions: new Set(superOptions.split(",")) }];
    }),
  );
}

/** CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW, SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP. */
const defaultMask = "00000000a80425fb";
const emptyMask = "0000000000000000";

const runtimes = ["crun", "runc"] as const;
for (const runtime of runtimes) {
  const flags = ["--runtime", runtime];

  test(`process (${runtime}): capabilities, filter, umask and groups are Docker's`, async () => {
    const status = statusFields(await inside("cat /proc/self/status", ...flags));
    const { CapInh, CapPrm, CapEff, CapBnd, CapAmb, NoNewPrivs, Seccomp, Umask } = status;
    assert.deepEqual(
      { CapInh, CapPrm, CapEff, CapBnd, CapAmb, NoNewPrivs, Seccomp, Umask },
      {
        CapInh: emptyMask,
        CapPrm: defaultMask,
        CapEff: defaultMask,
        CapBnd: defaultMask,
        CapAmb: emptyMask,
        NoNewPrivs: "0",
        Seccomp: "2",
        Umask: "0022",
      },
    );
  });

  test(`process (${runtime}): a user other than root has no effective capabilities and gets none by executing`, async () => {
    const status = statusFields(await inside("cat /proc/self/status", ...flags, "--user", "1000"));
    assert.deepEqual(
      [status["CapInh"], status["CapPrm"], status["CapEff"], status["CapBnd"], status["CapAmb"]],
      [emptyMask, emptyMask, emptyMask, defaultMask, emptyMask],
    );
  });

  test(`process (${runtime}): no descriptors, variables, keys or login of the daemon's`, async () => {
    // In a shell of its own: process 1 would hold the pipe for a moment.
    const list = `sh -c "ls -l /proc/1/fd | sed -n 's/.* \\([0-9]*\\) -> .*/\\1/p'"`;
    const script = `${list}; cat /proc/1/environ | tr '\\0' '\\n'`;
    const lines = (await inside(script, ...flags)).trim().split("\n");
    assert.deepEqual(lines.slice(0, 3), ["0", "1", "2"]);
    assert.deepEqual(
      lines
        .slice(3)
        .map((line) => line.split("=")[0] ?? "")
        .toSorted(),
      ["HOME", "HOSTNAME", "PATH"],
    );
    const facts = "cat /proc/self/loginuid; echo; cat /proc/self/oom_score_adj; wc -c < /proc/keys";
    assert.equal(await inside(facts, ...flags), "4294967295\n0\n0\n");
  });

  test(`namespaces (${runtime}): all but the user's are its own`, async () => {
    const text = await inside("for n in pid mnt uts ipc net cgroup user; do readlink /proc/self/ns/$n; done", ...flags);
    const found = text.trim().split("\n");
    for (const name of ["pid", "mnt", "uts", "ipc", "net", "cgroup"]) {
      const own = found.find((line) => line.startsWith(`${name}:`));
      assert.ok(own !== undefined && own !== readlinkSync(`/proc/self/ns/${name}`), `${name}: ${own}`);
    }
    assert.ok(found.includes(readlinkSync("/proc/self/ns/user")));
    const seen = await inside("echo $$; ls /proc | grep -c '^[0-9]'; hostname; cat /proc/self/cgroup", ...flags);
    const [pid, processes, hostname, ...groups] = seen.trim().split("\n");
    assert.equal(pid, "1");
    assert.ok(Number(processes) <= 3, `${processes} processes`);
    assert.match(hostname ?? "", /^[0-9a-f]{12}$/);
    for (const group of groups) assert.match(group, /:\/$/);
  });

  test(`mounts (${runtime}): what Docker mounts, as Docker mounts it, and nothing else`, async () => {
    const table = mountTable(await inside("cat /proc/self/mountinfo", ...flags));
    for (const [point, type, options] of expectedMounts) {
      const mount = table.get(point);
      assert.ok(mount !== undefined, `${point} is not mounted`);
      assert.equal(mount.type, type, point);
      for (const option of options.split(",")) assert.ok(mount.options.has(option), `${point}: no ${option}`);
    }
    const known = new Set(expectedMounts.map(([point]) => point));
    for (const [point, mount] of table) {
      if (known.has(point) || ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"].includes(point)) continue;
      if (point.startsWith("/sys/fs/cgroup/")) {
        assert.ok(mount.type.startsWith("cgroup"), point);
        for (const option of ["ro", "nosuid", "nodev", "noexec"]) assert.ok(mount.options.has(option), point);
      } else assert.ok(masked.includes(point) || readOnly.includes(point), `unexpected mount ${point}`);
    }
    assert.ok(table.get("/dev/shm")?.superOptions.has("size=65536k"));
    assert.ok(table.get("/dev")?.superOptions.has("size=65536k"));
  });

  test(`masked paths (${runtime}): nothing is read from them`, async () => {
    const script = masked.map((path) => `[ -d ${path} ] && ls -A ${path} || cat ${path} 2>/dev/null`).join("; ");
    assert.equal(await inside(`${script}; true`, ...flags), "");
    // Masks cannot be taken away again, and there is something to mask on this machine.
    const found = masked.filter((path) => existsSync(path));
    assert.ok(found.length > 0);
    const refusals = await inside(found.map((path) => `umount ${path}`).join("; "), ...flags);
    assert.equal((refusals.match(/^umount: .*Operation not permitted$/gm) ?? []).length, found.length, refusals);
  });

  test(`read-only paths (${runtime}): nothing is written through them`, async () => {
    const targets = [
      "/proc/sys/kernel/core_pattern",
      "/proc/sys/kernel/hostname",
      "/proc/sys/vm/drop_caches",
      "/proc/sys/net/ipv4/ip_forward",
      "/proc/sysrq-trigger",
      "/proc/irq/default_smp_affinity",
      "/sys/kernel/uevent_helper",
      "/sys/kernel/mm/transparent_hugepage/enabled",
      "/sys/fs/cgroup/memory/release_agent",
      "/sys/fs/cgroup/memory/cgroup.procs",
      "/sys/fs/cgroup/devices/devices.allow",
    ];
    const script = targets.map((path) => `(echo 1 > ${path}) 2>/dev/null && echo written ${path}`).join("; ");
    assert.equal(await inside(`${script}; true`, ...flags), "");
    const folders =
      "mkdir /sys/fs/cgroup/memory/x; mkdir /sys/fs/cgroup/x; mount -o remount,rw /sys; mount -o remount,rw /proc/sys";
    const refused = await inside(`${folders}; true`, ...flags);
    assert.equal((refused.match(/Read-only file system/g) ?? []).length >= 1, true, refused);
    assert.equal((refused.match(/Operation not permitted|[Pp]ermission denied/g) ?? []).length, 2, refused);
  });

  test(`devices (${runtime}): Docker's nodes alone; others can be made and not be opened`, async () => {
    const listed = (await inside("ls -l /dev | grep '^[cb]'", ...flags)).trim().split("\n");
    const nodes = listed.map(
      (line) => /([cb])rw-rw-rw- .* (\d+), +(\d+) .* (\w+)$/.exec(line)?.slice(1).join(" ") ?? line,
    );
    assert.deepEqual(nodes.toSorted(), [
      "c 1 3 null",
      "c 1 5 zero",
      "c 1 7 full",
      "c 1 8 random",
      "c 1 9 urandom",
      "c 5 0 tty",
    ]);
    // Those that the host itself may open prove that it is the container's device rules that refuse.
    // runc before 1.2 allows /dev/net/tun (c 10 200) of its own accord.
    const others = [
      ...(runtime === "runc" ? [] : ["c 10 200"]),
      "b 7 0",
      "b 253 0",
      "b 254 0",
      "c 1 1",
      "c 1 11",
      "c 10 229",
      "c 10 232",
      "c 4 64",
    ];
    const script = others
      .map((numbers, at) => `mknod /n${at} ${numbers} && ! (: < /n${at}) 2>/dev/null && echo closed ${numbers}`)
      .join("; ");
    assert.deepEqual(
      (await inside(script, ...flags)).trim().split("\n"),
      others.map((numbers) => `closed ${numbers}`),
    );
    const open =
      "head -c1 /dev/urandom | wc -c; echo x > /dev/null && head -c2 /dev/zero | wc -c; : < /dev/ptmx && echo ptmx";
    assert.equal(await inside(open, ...flags), "1\n2\nptmx\n");
  });

  test(`exec (${runtime}): a further program is as confined as the first`, async () => {
    const { stdout } = await daemon.docker("run", "-d", ...flags, "busybox", "sleep", "60");
    const id = stdout.trim();
    const script = [
      "cat /proc/self/status",
      "ls -l /proc/self/fd | grep -c ' -> '",
      "env | cut -d= -f1 | sort | tr '\\n' ' '; echo",
      "for n in pid mnt uts ipc net cgroup; do [ $(readlink /proc/self/ns/$n) = $(readlink /proc/1/ns/$n) ] || echo other $n; done",
      "cat /proc/self/oom_score_adj",
      "mknod /n b 7 0; (: < /n) 2>/dev/null || echo closed",
      "cat /proc/self/cgroup /proc/1/cgroup | sort | uniq -u",
    ].join("; ");
    const text = (await daemon.docker("exec", id, "sh", "-c", script)).stdout;
    const status = statusFields(text);
    assert.deepEqual(
      [status["CapEff"], status["CapBnd"], status["CapInh"], status["CapAmb"], status["Seccomp"], status["Umask"]],
      [defaultMask, defaultMask, emptyMask, emptyMask, "2", "0022"],
    );
    // 0, 1, 2 and the folder that ls itself reads.
    assert.match(text, /\n[34]\nHOME HOSTNAME PATH (?:PWD SHLVL )?\n0\nclosed\n$/);
    const other = statusFields((await daemon.docker("exec", "-u", "1000", id, "cat", "/proc/self/status")).stdout);
    assert.deepEqual([other["CapEff"], other["CapPrm"], other["CapAmb"]], [emptyMask, emptyMask, emptyMask]);
    await daemon.docker("rm", "-f", id);
  });

  test(`--security-opt no-new-privileges (${runtime}): for the first program and further ones; setuid has no effect`, async () => {
    const name = `setuid-${runtime}`;
    const setuid = ["-v", `${await buildProgram("whoami")}:/whoami:ro`, "busybox", "sh", "-c"];
    const script = "cp /whoami /setuid && chmod 4755 /setuid; sleep 60";
    for (const [option, effective, mask] of [
      ["no-new-privileges=true", "1000", emptyMask],
      ["no-new-privileges=false", "0", defaultMask],
    ] as const) {
      await daemon.docker("run", "-d", "--name", name, ...flags, "--security-opt", option, ...setuid, script);
      const bit = option.endsWith("true") ? "1" : "0";
      for (const pid of ["1", "self"]) {
        const { stdout } = await daemon.docker("exec", name, "cat", `/proc/${pid}/status`);
        assert.equal(statusFields(stdout)["NoNewPrivs"], bit);
      }
      const { stdout } = await daemon.docker("exec", "-u", "1000", name, "/setuid");
      const facts = statusFields(stdout);
      assert.deepEqual([facts["Real"], facts["Effective"], facts["CapEff"]], ["1000", effective, mask], option);
      assert.equal(facts["CapBnd"], defaultMask, "never beyond the container's bounds");
      await daemon.docker("rm", "-f", name);
    }
  });

  test(`keys (${runtime}): the session keyring is the container's own`, async () => {
    const script = 'grep -c "keyring .*$(hostname)" /proc/keys';
    assert.match(await inside(script, ...flags, "--privileged"), /^[1-9]/);
  });
}

test("--privileged: all capabilities of the daemon, no filter, no masks, devices; namespaces stay its own", async () => {
  const daemonMask = statusFields(readFileSync("/proc/self/status", "utf8"))["CapEff"];
  const status = statusFields(await inside("cat /proc/self/status", "--privileged"));
  assert.deepEqual([status["CapEff"], status["CapBnd"], status["Seccomp"]], [daemonMask, daemonMask, "0"]);
  const table = mountTable(await inside("cat /proc/self/mountinfo", "--privileged"));
  for (const path of [...masked, ...readOnly]) assert.ok(!table.has(path), path);
  assert.ok(table.get("/sys")?.options.has("rw"));
  assert.match(
    await inside("mknod /n c 1 11; (: < /n) && echo open; ls /dev | grep -c .", "--privileged"),
    /^open\n\d\d/,
  );
  const pid = (await inside("readlink /proc/self/ns/pid; readlink /proc/self/ns/mnt", "--privileged")).trim();
  assert.deepEqual(
    pid.split("\n").filter((line) => line === readlinkSync(`/proc/self/ns/${line.slice(0, 3)}`)),
    [],
  );
});

test("--cap-drop ALL --cap-add: exactly what was asked for", async () => {
  const status = statusFields(
    await inside("cat /proc/self/status", "--cap-drop", "ALL", "--cap-add", "NET_BIND_SERVICE"),
  );
  assert.deepEqual([status["CapEff"], status["CapBnd"]], ["0000000000000400", "0000000000000400"]);
});

test("--read-only: the root cannot be written nor made writable; the kernel's folders stay as they are", async () => {
  const script = "touch /x; mkdir /bin/x; mount -o remount,rw /; echo > /etc/passwd; touch /dev/shm/x && echo shm";
  const text = await inside(script, "--read-only");
  assert.equal((text.match(/Read-only file system/g) ?? []).length, 3, text);
  assert.match(text, /permission denied|Operation not permitted/);
  assert.match(text, /shm\n/);
});

test("/etc/hosts, hostname, resolv.conf: can be written, and only there; removal and renaming fail", async () => {
  const text = await inside(
    "for f in hosts hostname resolv.conf; do echo changed >> /etc/$f && tail -n1 /etc/$f; rm -f /etc/$f; mv /etc/$f /etc/x; ln -sf /etc/passwd /etc/$f; done",
  );
  assert.equal((text.match(/^changed$/gm) ?? []).length, 3);
  assert.equal((text.match(/Device or resource busy|File exists/g) ?? []).length, 9, text);
  assert.ok(!readFileSync("/etc/hosts", "utf8").includes("changed"));
  const before = await inside("cat /etc/hosts /etc/resolv.conf");
  assert.ok(!before.includes("changed"), "another container's files are others");
});

test("--network none: the loopback alone, and nothing is reachable", async () => {
  const text = await inside("ls /sys/class/net; ip route | wc -l; ping -c1 -W1 8.8.8.8", "--network", "none");
  assert.match(text, /^lo\n0\n/);
  assert.match(text, /Network is unreachable/);
});

test("--network bridge: what listens on the host's 127.0.0.1 cannot be reached, neither there nor by the gateway", async () => {
  const server = createServer((socket) => socket.end("secret\n"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    const gateway = "$(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p')";
    const script = [
      `nc -w2 127.0.0.1 ${port} < /dev/null`,
      `nc -w2 ${gateway} ${port} < /dev/null`,
      // A host that routes packets for its loopback from elsewhere would be open.
      `ip route add 127.0.0.0/8 via ${gateway} 2>/dev/null; ip addr del 127.0.0.1/8 dev lo 2>/dev/null; nc -w2 127.0.0.1 ${port} < /dev/null`,
      "echo end",
    ].join("; ");
    const text = await inside(script, "--cap-add", "NET_ADMIN");
    assert.ok(!text.includes("secret"), text);
    const near = await inside(`nc -w2 127.0.0.1 ${port} < /dev/null`, "--network", "host");
    assert.equal(near, "secret\n", "the host's own network reaches it");
    assert.match(text, /end/);
  } finally {
    server.close();
  }
});

test("--network bridge: containers of another daemon cannot be reached", async () => {
  await using other = await startDaemon({ busybox: true });
  await other.docker(
    "run",
    "-d",
    "--name",
    "web",
    "busybox",
    "sh",
    "-c",
    "while :; do echo secret | nc -l -p 80; done",
  );
  const address = (await other.docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "web")).stdout.trim();
  assert.match(address, /^\d+\.\d+\.\d+\.\d+$/);
  const near = await other.docker("run", "--rm", "busybox", "sh", "-c", `nc -w3 ${address} 80 < /dev/null`);
  assert.equal(near.stdout, "secret\n", "its neighbours reach it");
  const text = await inside(`nc -w3 ${address} 80 < /dev/null; echo end`);
  assert.ok(!text.includes("secret"), text);
  assert.match(text, /end/);
});

test("limits: --pids-limit and --memory are in the container's own cgroup and hold", async () => {
  const forks = await inside("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done; wait", "--pids-limit", "6");
  assert.match(forks, /can't fork|Resource temporarily unavailable/);
  const { code } = await daemon.docker(
    "run",
    "--rm",
    "--memory",
    "16m",
    "busybox",
    "sh",
    "-c",
    "x=$(head -c 100m /dev/zero | tr '\\0' x); echo $x | wc -c",
  );
  assert.equal(code, 137);
});

const expectedMounts: readonly (readonly [point: string, type: string, options: string])[] = [
  ["/", "overlay", "rw"],
  ["/proc", "proc", "rw,nosuid,nodev,noexec"],
  ["/dev", "tmpfs", "rw,nosuid"],
  ["/dev/pts", "devpts", "rw,nosuid,noexec"],
  ["/dev/mqueue", "mqueue", "rw,nosuid,nodev,noexec"],
  ["/dev/shm", "tmpfs", "rw,nosuid,nodev,noexec"],
  ["/sys", "sysfs", "ro,nosuid,nodev,noexec"],
  ["/sys/fs/cgroup", existsCgroup2() ? "cgroup2" : "tmpfs", "nosuid,nodev,noexec"],
];

const masked: readonly string[] = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];

const readOnly: readonly string[] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

function existsCgroup2(): boolean {
  return / \/sys\/fs\/cgroup cgroup2 /.test(readFileSync("/proc/self/mounts", "utf8"));
}
