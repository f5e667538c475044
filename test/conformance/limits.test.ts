import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type TestDaemon, startDaemon } from "../fixtures/daemon.ts";

let daemon: TestDaemon;
let cdiFolder: string;
before(async () => {
  cdiFolder = await mkdtemp(join(tmpdir(), "slipway-cdi-"));
  const args = ["--default-ulimit", "core=0:0", "--cdi-spec-dir", cdiFolder];
  daemon = await startDaemon({ busybox: true, args });
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(cdiFolder, { recursive: true });
});

const v2 = existsSync("/sys/fs/cgroup/cgroup.controllers");

/** The container's id, started with these flags and sleeping. */
async function sleeper(...flags: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await daemon.docker("run", "-d", ...flags, "busybox", "sleep", "600");
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

async function output(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await daemon.docker(...args);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

/** A file of the container's cgroup, as the host sees it. */
async function groupFile(id: string, controller: string, name: string, parent = daemon.instance): Promise<string> {
  const group = v2 ? join("/sys/fs/cgroup", parent, id) : join("/sys/fs/cgroup", controller, parent, id);
  return (await readFile(join(group, name), "utf8")).trim();
}

/** The same file as the container sees it. */
async function groupFileInside(id: string, controller: string, name: string): Promise<string> {
  return await output("exec", id, "cat", v2 ? `/sys/fs/cgroup/${name}` : `/sys/fs/cgroup/${controller}/${name}`);
}

/** What each flag comes to: controller and file of v1 and their text, file of v2 and its text. */
const flags: [flags: readonly string[], controller: string, v1: [string, string], v2: [string, string]][] = [
  [["--memory", "64m"], "memory", ["memory.limit_in_bytes", "67108864"], ["memory.max", "67108864"]],
  [["--memory", "64m"], "memory", ["memory.memsw.limit_in_bytes", "134217728"], ["memory.swap.max", "67108864"]],
  [
    ["--memory", "64m", "--memory-swap", "96m"],
    "memory",
    ["memory.memsw.limit_in_bytes", "100663296"],
    ["memory.swap.max", "33554432"],
  ],
  [["--memory-reservation", "32m"], "memory", ["memory.soft_limit_in_bytes", "33554432"], ["memory.low", "33554432"]],
  [["--cpus", "0.5"], "cpu", ["cpu.cfs_quota_us", "50000"], ["cpu.max", "50000 100000"]],
  [
    ["--cpu-quota", "20000", "--cpu-period", "50000"],
    "cpu",
    ["cpu.cfs_period_us", "50000"],
    ["cpu.max", "20000 50000"],
  ],
  [["--cpu-shares", "512"], "cpu", ["cpu.shares", "512"], ["cpu.weight", "20"]],
  [["--cpuset-cpus", "0"], "cpuset", ["cpuset.cpus", "0"], ["cpuset.cpus", "0"]],
  [["--cpuset-mems", "0"], "cpuset", ["cpuset.mems", "0"], ["cpuset.mems", "0"]],
  [["--pids-limit", "50"], "pids", ["pids.max", "50"], ["pids.max", "50"]],
];

for (const [given, controller, ...files] of flags) {
  const [name, text] = files[v2 ? 1 : 0] ?? ["", ""];
  test(`docker run ${given.join(" ")}: ${name} is ${text}, outside and inside`, async () => {
    const id = await sleeper(...given);
    assert.equal(await groupFile(id, controller, name), text);
    assert.equal(await groupFileInside(id, controller, name), text);
  });
}

test("docker run --runtime runc: the same limits, devices and sysctls", async (context) => {
  const { body } = await daemon.api("GET", "/info");
  if (body.Runtimes.runc === undefined) return context.skip("no runc");
  const id = await sleeper(
    ...["--runtime", "runc", "-m", "64m", "--cpus", "0.5", "--pids-limit", "50", "--ulimit", "nofile=100:100"],
    ...["--sysctl", "net.core.somaxconn=77", "--device", "/dev/zero:/dev/mine:r", "--oom-score-adj", "300"],
  );
  assert.equal(await groupFile(id, "memory", v2 ? "memory.max" : "memory.limit_in_bytes"), "67108864");
  assert.equal(await groupFile(id, "pids", "pids.max"), "50");
  const script = "ulimit -n; cat /proc/sys/net/core/somaxconn /proc/1/oom_score_adj; head -c 1 /dev/mine | wc -c";
  assert.equal(await output("exec", id, "sh", "-c", script), "100\n77\n300\n1");
});

/** A disk of this machine; undefined where there is none. */
async function findDisk(): Promise<{ readonly path: string; readonly number: string } | undefined> {
  const partitions = await readFile("/proc/partitions", "utf8");
  for (const [, major, minor, name] of partitions.matchAll(/^ +(\d+) +(\d+) +\d+ (\w+)$/gm)) {
    if (existsSync(`/dev/${name}`) && !name?.startsWith("zram"))
      return { path: `/dev/${name}`, number: `${major}:${minor}` };
  }
  return undefined;
}

test("docker run --device-read-bps, --device-write-iops: the rates are set for the device's number", async (context) => {
  const disk = await findDisk();
  if (disk === undefined) return context.skip("no disk");
  const { path, number } = disk;
  const id = await sleeper("--device-read-bps", `${path}:1mb`, "--device-write-iops", `${path}:100`);
  if (v2) assert.match(await groupFile(id, "", "io.max"), new RegExp(`${number} rbps=1048576 .*wiops=100`));
  else {
    assert.equal(await groupFile(id, "blkio", "blkio.throttle.read_bps_device"), `${number} 1048576`);
    assert.equal(await groupFile(id, "blkio", "blkio.throttle.write_iops_device"), `${number} 100`);
  }
});

test("docker run --memory-swappiness, --oom-kill-disable, --blkio-weight: set, or warned of where the kernel lacks it", async () => {
  const { body: info } = await daemon.api("GET", "/info");
  const { stderr, stdout, code } = await daemon.docker(
    ...["run", "-d", "-m", "64m", "--memory-swappiness", "10", "--oom-kill-disable", "--blkio-weight", "300"],
    ...["busybox", "sleep", "600"],
  );
  assert.equal(code, 0, stderr);
  const id = stdout.trim();
  if (info.OomKillDisable === true) {
    assert.equal(await groupFile(id, "memory", "memory.swappiness"), "10");
    assert.match(await groupFile(id, "memory", "memory.oom_control"), /^oom_kill_disable 1$/m);
  } else {
    assert.match(stderr, /Your kernel does not support OomKillDisable/);
    assert.match(stderr, /Your kernel does not support memory swappiness/);
  }
  const lacksWeight = info.Warnings.some((text: string) => /No (blkio weight|io\.weight) support/.test(text));
  assert.equal(/does not support Block I\/O weight or the cgroup is not mounted/.test(stderr), lacksWeight, stderr);
  const weight = await output("inspect", "-f", "{{.HostConfig.BlkioWeight}}", id);
  assert.equal(weight, lacksWeight ? "0" : "300", "what is discarded is not shown as if it were set");
});

test("docker run --cpu-rt-runtime: set where the kernel has real-time groups, refused where it has not", async () => {
  const flags = ["--cpu-rt-period", "1000000", "--cpu-rt-runtime", "10000"];
  if (!existsSync("/sys/fs/cgroup/cpu/cpu.rt_runtime_us")) {
    const { stderr } = await daemon.docker("run", "--rm", ...flags, "busybox", "true");
    assert.match(stderr, /your kernel does not support CPU real-time scheduler/);
    return;
  }
  const id = await sleeper(...flags);
  assert.equal(await groupFile(id, "cpu", "cpu.rt_runtime_us"), "10000");
  await output("update", "--cpu-rt-runtime", "20000", id);
  assert.equal(await groupFile(id, "cpu", "cpu.rt_runtime_us"), "20000");
});

test("docker run --ulimit and --default-ulimit: of the program, and of what exec starts", async () => {
  const id = await sleeper("--ulimit", "nofile=100:200", "--ulimit", "nproc=64");
  const expected = { nofile: "100 200", core: "0 0", nproc: "64 64" };
  for (const pid of ["1", "self"]) {
    const limits = await output("exec", id, "cat", `/proc/${pid}/limits`);
    const of = (title: string) => new RegExp(`^${title} +(\\S+) +(\\S+)`, "m").exec(limits)?.slice(1).join(" ");
    assert.deepEqual(
      { nofile: of("Max open files"), core: of("Max core file size"), nproc: of("Max processes") },
      expected,
    );
  }
});

test("docker run --ulimit above what the daemon may give: warned of and clamped without CAP_SYS_RESOURCE", async () => {
  const { code, stdout, stderr } = await daemon.docker(
    ...["run", "--rm", "--ulimit", "nice=40:40", "busybox", "grep", "nice", "/proc/self/limits"],
  );
  assert.equal(code, 0, stderr);
  if (stderr.includes("lacks CAP_SYS_RESOURCE")) assert.match(stdout, /^Max nice priority +0 +0/);
  else assert.match(stdout, /^Max nice priority +40 +40/);
});

test("docker run --shm-size, --oom-score-adj: /dev/shm is so large, the score is so high", async () => {
  const id = await sleeper("--shm-size", "8m", "--oom-score-adj", "300");
  assert.match(await output("exec", id, "df", "-k", "/dev/shm"), /shm +8192 /);
  assert.equal(await output("exec", id, "cat", "/proc/1/oom_score_adj"), "300");
});

test("docker run --sysctl: set in the container's own namespaces, and nowhere else", async () => {
  const before = await readFile("/proc/sys/kernel/shmmax", "utf8");
  const id = await sleeper(
    ...["--sysctl", "kernel.shmmax=1234567", "--sysctl", "net.ipv4.ip_unprivileged_port_start=500"],
    ...["--sysctl", "net.core.somaxconn=77"],
  );
  assert.equal(
    await output(
      "exec",
      id,
      "sh",
      "-c",
      "cd /proc/sys; cat kernel/shmmax net/ipv4/ip_unprivileged_port_start net/core/somaxconn",
    ),
    "1234567\n500\n77",
  );
  assert.equal(await readFile("/proc/sys/kernel/shmmax", "utf8"), before);
  const refused = await daemon.api("POST", "/containers/create", {
    Image: "busybox",
    HostConfig: { Sysctls: { "kernel.panic": "9" } },
  });
  assert.equal(refused.status, 400);
  assert.match(refused.body.message, /^sysctl "kernel.panic" is not in a separate kernel namespace/);
});

test("docker run --device: the node is there with what was allowed and no more; a folder brings all of it", async () => {
  const read = "head -c 1 /dev/mine | wc -c; echo x 2>/dev/null >/dev/mine || echo refused";
  assert.equal(
    await output("run", "--rm", "--device", "/dev/zero:/dev/mine:r", "busybox", "sh", "-c", "ls /dev/mine; true"),
    "/dev/mine",
  );
  const kmsg = "--device=/dev/kmsg:/dev/mine:r";
  assert.match(await output("run", "--rm", kmsg, "busybox", "sh", "-c", read), /refused$/);
  const { code, stderr } = await daemon.docker("run", "--rm", "--device", "/dev/no-such", "busybox", "true");
  assert.equal(code, 127, "as docker reads these words");
  assert.match(
    stderr,
    /error gathering device information while adding custom device "\/dev\/no-such": no such file or directory/,
  );
});

test("docker run --device-cgroup-rule: opens devices by number", async (context) => {
  if (!existsSync("/dev/loop-control")) return context.skip("the kernel has no loop devices");
  const script = "mknod /dev/l c 10 237 && (: </dev/l) 2>/dev/null && echo opened || echo refused";
  assert.equal(await output("run", "--rm", "busybox", "sh", "-c", script), "refused");
  const rule = ["--device-cgroup-rule", "c 10:237 r"];
  assert.equal(await output("run", "--rm", ...rule, "busybox", "sh", "-c", script), "opened");
});

test("docker run --cgroup-parent: the group lies there", async () => {
  const parent = `${daemon.instance}-parent`;
  const id = await sleeper("--cgroup-parent", `/${parent}`, "--pids-limit", "20");
  assert.equal(await groupFile(id, "pids", "pids.max", parent), "20");
  assert.match(await output("top", id), /sleep 600/);
  await output("rm", "-f", id);
  const controllers = v2
    ? [""]
    : ["blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "memory", "pids", "systemd", "unified"];
  for (const controller of controllers) await rmdir(join("/sys/fs/cgroup", controller, parent)).catch(() => undefined);
});

test("docker run --gpus: Docker's words where nothing describes GPUs", async () => {
  const { code, stderr } = await daemon.docker("run", "--rm", "--gpus", "all", "busybox", "true");
  assert.equal(code, 125);
  assert.match(stderr, /could not select device driver "" with capabilities: \[\[gpu\]\]/);
});

test("docker run --device VENDOR/CLASS=NAME and --gpus: what the CDI specification says, hooks too; both command lines", async () => {
  const edits = {
    env: ["GPU=one"],
    deviceNodes: [{ path: "/dev/gpu0", hostPath: "/dev/zero", permissions: "r" }],
    mounts: [{ hostPath: cdiFolder, containerPath: "/opt/gpu", options: ["ro", "bind"] }],
    hooks: [{ hookName: "createRuntime", path: "/bin/sh", args: ["sh", "-c", `cat >${cdiFolder}/state`] }],
  };
  const spec = { cdiVersion: "0.6.0", kind: "example.com/gpu", devices: [{ name: "0", containerEdits: edits }] };
  await writeFile(join(cdiFolder, "gpu.json"), JSON.stringify(spec));
  const script = "echo $GPU; head -c 1 /dev/gpu0 | wc -c; ls /opt/gpu";
  for (const flag of ["--device=example.com/gpu=0", "--gpus=all"]) {
    await rm(join(cdiFolder, "state"), { force: true });
    assert.equal(await output("run", "--rm", flag, "busybox", "sh", "-c", script), "one\n1\ngpu.json\nstate");
    const own = await daemon.slipway("run", "--rm", flag, "busybox", "sh", "-c", script);
    assert.equal(own.stdout, "one\n1\ngpu.json\nstate\n", own.stderr);
    assert.match(await readFile(join(cdiFolder, "state"), "utf8"), /"ociVersion"/);
  }
  await rm(join(cdiFolder, "gpu.json"));
  const { stderr } = await daemon.docker("run", "--rm", "--device", "example.com/gpu=0", "busybox", "true");
  assert.match(stderr, /CDI device injection failed: unresolvable CDI devices example.com\/gpu=0/);
});

test("docker info: says what the kernel lacks, as the cgroup files show it", async () => {
  const { body } = await daemon.api("GET", "/info");
  assert.equal(
    body.MemoryLimit,
    existsSync(v2 ? "/sys/fs/cgroup/memory.stat" : "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
  );
  if (!v2) {
    assert.equal(body.SwapLimit, existsSync("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"));
    assert.equal(
      body.Warnings.includes("WARNING: No blkio weight support"),
      !existsSync("/sys/fs/cgroup/blkio/blkio.weight"),
    );
  }
});

test("docker update: changes a running container's limits, record and group; a stopped one's for its next start", async () => {
  const id = await sleeper("-m", "64m", "--pids-limit", "50", "--cpu-shares", "512");
  const flags = [
    "-m",
    "96m",
    "--memory-swap",
    "256m",
    "--cpu-shares",
    "256",
    "--cpuset-cpus",
    "0",
    "--pids-limit",
    "70",
  ];
  assert.equal(await output("update", ...flags, id), id);
  const [memory, shares] = v2 ? ["memory.max", "cpu.weight"] : ["memory.limit_in_bytes", "cpu.shares"];
  const group = async () => [
    await groupFile(id, "memory", memory ?? ""),
    await groupFile(id, "cpu", shares ?? ""),
    await groupFile(id, "cpuset", "cpuset.cpus"),
    await groupFile(id, "pids", "pids.max"),
  ];
  const expected = ["100663296", v2 ? "10" : "256", "0", "70"];
  assert.deepEqual(await group(), expected);
  const host = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.CpuShares}} {{.HostConfig.PidsLimit}}";
  assert.equal(await output("inspect", "-f", host, id), "100663296 268435456 256 70");
  await output("kill", id);
  await output("update", "--memory-reservation", "32m", id);
  await output("start", id);
  assert.deepEqual(await group(), expected);
  assert.equal(await groupFile(id, "memory", v2 ? "memory.low" : "memory.soft_limit_in_bytes"), "33554432");
});

for (const runtime of ["crun", "runc"]) {
  test(`docker update: lifts what -1 lifts, with ${runtime}`, async (context) => {
    const { body } = await daemon.api("GET", "/info");
    if (body.Runtimes[runtime] === undefined) return context.skip(`no ${runtime}`);
    const id = await sleeper("--runtime", runtime, "-m", "64m", "--pids-limit", "50", "--cpu-quota", "20000");
    await output("update", "--memory-swap", "-1", "--pids-limit", "-1", "--cpu-quota", "-1", id);
    await output("update", "--cpu-shares", "300", id); // what was lifted stays so
    assert.equal(await groupFile(id, "pids", "pids.max"), "max");
    if (v2) {
      assert.match(await groupFile(id, "", "cpu.max"), /^max /);
      assert.equal(await groupFile(id, "", "memory.swap.max"), "max");
    } else {
      assert.equal(await groupFile(id, "cpu", "cpu.cfs_quota_us"), "-1");
      assert.equal(await groupFile(id, "memory", "memory.memsw.limit_in_bytes"), "9223372036854771712");
    }
  });
}

test("docker update: refused as a whole, nothing has changed", async () => {
  const script = "x=$(head -c 30000000 /dev/zero | tr '\\0' x); echo ready; sleep 600; true";
  const run = await daemon.docker("run", "-d", "-m", "128m", "--cpu-shares", "512", "busybox", "sh", "-c", script);
  const id = run.stdout.trim();
  await until(async () => (await output("logs", id)).includes("ready"));
  const before = await output("inspect", "-f", "{{json .HostConfig}}", id);
  const shares = await groupFile(id, "cpu", v2 ? "cpu.weight" : "cpu.shares");
  if (!v2) {
    // v2 takes any limit, and then reclaims or kills.
    const outcome = await daemon.docker("update", "--cpu-shares", "100", "-m", "8m", "--memory-swap", "8m", id);
    assert.notEqual(outcome.code, 0);
    assert.match(outcome.stderr, new RegExp(`Cannot update container ${id}: .*[Bb]usy`));
  }
  const conflict = await daemon.docker("update", "-m", "512m", id);
  assert.match(
    conflict.stderr,
    /Cannot update container \w+: Memory limit should be smaller than already set memoryswap limit/,
  );
  const nowhere = await daemon.docker("update", "--cpuset-cpus", "4000", id);
  assert.match(nowhere.stderr, /Requested CPUs are not available - requested 4000, available: /);
  assert.equal(await output("inspect", "-f", "{{json .HostConfig}}", id), before);
  assert.equal(await groupFile(id, "cpu", v2 ? "cpu.weight" : "cpu.shares"), shares);
});

test("docker update --restart: stored, shown, refused for --rm, and told by an event", async () => {
  const id = await output("create", "busybox", "true");
  await output("update", "--restart", "on-failure:3", id);
  assert.equal(
    await output(
      "inspect",
      "-f",
      "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}",
      id,
    ),
    "on-failure 3",
  );
  const { text } = await daemon.api("GET", `/events?since=1&until=${Date.now() / 1000 + 1}`);
  assert.match(text, new RegExp(`"Action":"update".*${id}`));
  const other = await output("create", "--rm", "busybox", "true");
  const { stderr } = await daemon.docker("update", "--restart", "always", other);
  assert.match(stderr, /Restart policy cannot be updated because AutoRemove is enabled for the container/);
});

test("slipway update: as docker's, and asks for a flag", async () => {
  const id = await output("create", "busybox", "true");
  const { code, stdout, stderr } = await daemon.slipway(
    "container",
    "update",
    "--pids-limit",
    "9",
    "--cpus",
    "0.5",
    id,
  );
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: `${id}\n`, stderr: "" });
  assert.equal(await output("inspect", "-f", "{{.HostConfig.PidsLimit}} {{.HostConfig.NanoCpus}}", id), "9 500000000");
  assert.match((await daemon.slipway("update", id)).stderr, /must provide one or more flags/);
});

/** What takes more memory than a container of 32 MB has. */
const greedy = "head -c 100000000 /dev/zero | tail -c 100000000 >/dev/null";

/** A container's events so far, as words such as `die`. */
async function actionsOf(id: string): Promise<string[]> {
  const { text } = await daemon.api(
    "GET",
    `/events?since=1&until=${Date.now() / 1000}&filters={"container":["${id}"]}`,
  );
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line).Action as string);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await condition())) {
    assert.ok(Date.now() < end, "not within 30 s");
    await sleep(50);
  }
}

test("a container whose first process is killed for memory: OOMKilled, 137, and the event before its end", async () => {
  const { code } = await daemon.docker(
    "run",
    "--name",
    "oom",
    "-m",
    "32m",
    "busybox",
    "tail",
    "-c",
    "100000000",
    "/dev/zero",
  );
  assert.equal(code, 137);
  const id = await output("inspect", "-f", "{{.Id}}", "oom");
  assert.equal(await output("inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", id), "true 137");
  const actions = await actionsOf(id);
  assert.equal(actions.filter((action) => action === "oom").length, 1);
  assert.ok(actions.indexOf("oom") < actions.indexOf("die"), actions.join(" "));
  assert.ok(actions.indexOf("start") < actions.indexOf("oom"), actions.join(" "));
});

test("a container that outlives a child killed for memory: the event comes at once, the mark stays to its end and goes with its next start", async () => {
  const id = await sleeper("-m", "32m");
  assert.equal(await output("inspect", "-f", "{{.State.OOMKilled}}", id), "false");
  const child = await daemon.docker("exec", id, "sh", "-c", greedy);
  assert.notEqual(child.code, 0);
  await until(async () => (await actionsOf(id)).includes("oom"));
  assert.equal(await output("inspect", "-f", "{{.State.OOMKilled}} {{.State.Running}}", id), "true true");
  await output("stop", "-t", "0", id);
  assert.equal(await output("inspect", "-f", "{{.State.OOMKilled}}", id), "true");
  assert.equal((await actionsOf(id)).filter((action) => action === "oom").length, 1);
  await output("start", id);
  assert.equal(await output("inspect", "-f", "{{.State.OOMKilled}}", id), "false");
});

test("a kill that no daemon saw is known to the next one", async () => {
  const id = await sleeper("-m", "32m", "--name", "unseen");
  await output("exec", "-d", id, "sh", "-c", `sleep 2; ${greedy}`);
  await daemon.kill9();
  await sleep(2500);
  await daemon.start();
  await until(async () => (await output("inspect", "-f", "{{.State.OOMKilled}}", id)) === "true");
  assert.ok((await actionsOf(id)).includes("oom"));
});

test("docker run --oom-kill-disable: out of memory is told, nobody is killed, and it can still be removed", async (context) => {
  const { body: info } = await daemon.api("GET", "/info");
  if (info.OomKillDisable !== true) return context.skip("cgroup v2 has no such switch");
  const id = await sleeper("-m", "32m", "--oom-kill-disable");
  // In its own code, not in a system call: that would only fail.
  await output("exec", "-d", id, "awk", 'BEGIN { text = "x"; while (length(text) < 100000000) text = text text }');
  await until(async () => (await actionsOf(id)).includes("oom"));
  assert.equal(await output("inspect", "-f", "{{.State.OOMKilled}} {{.State.Running}}", id), "false true");
  await output("rm", "-f", id);
});

test("a kill in a group that the container made below its own counts too", async () => {
  const group = v2 ? "/sys/fs/cgroup/below" : "/sys/fs/cgroup/memory/below";
  const limit = v2 ? "memory.max" : "memory.limit_in_bytes";
  const enable = v2
    ? "mkdir /sys/fs/cgroup/first; echo 1 >/sys/fs/cgroup/first/cgroup.procs; echo +memory >/sys/fs/cgroup/cgroup.subtree_control;"
    : "";
  const script = `${enable} mkdir ${group} && echo 16000000 >${group}/${limit}; (echo 0 >${group}/cgroup.procs; ${greedy}); exit 7`;
  const { code, stderr } = await daemon.docker("run", "--name", "below", "--privileged", "busybox", "sh", "-c", script);
  assert.equal(code, 7, stderr);
  assert.equal(await output("inspect", "-f", "{{.State.OOMKilled}}", "below"), "true");
});
