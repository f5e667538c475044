import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type TestDaemon, startDaemon } from "../fixtures/daemon.ts";

let daemon: TestDaemon;
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-security-"));
  daemon = await startDaemon({ busybox: true });
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** What a command says, standard error included. */
async function docker(...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await daemon.docker(...args);
  return stdout + stderr;
}

async function inside(flags: readonly string[], script: string): Promise<string> {
  return await docker("run", "--rm", ...flags, "busybox", "sh", "-c", script);
}

async function running(name: string, ...flags: readonly string[]): Promise<AsyncDisposable> {
  const { code, stderr } = await daemon.docker("run", "-d", "--name", name, ...flags, "busybox", "sleep", "300");
  assert.equal(code, 0, stderr);
  return { [Symbol.asyncDispose]: async () => void (await docker("rm", "-f", name)) };
}

async function waitUntil(holds: () => Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await holds())) {
    assert.ok(Date.now() < end, what);
    await sleep(50);
  }
}

for (const runtime of ["crun", "runc"]) {
  test(`--ipc (${runtime}): a shareable namespace is shared, /dev/shm with it, both ways`, async () => {
    await using _donor = await running("donor", "--runtime", runtime, "--ipc", "shareable", "--shm-size", "1m");
    await docker("exec", "donor", "sh", "-c", "echo from-donor > /dev/shm/note");
    const ipc = await docker("exec", "donor", "readlink", "/proc/self/ns/ipc");
    const script =
      "cat /dev/shm/note; echo from-joiner > /dev/shm/note; df -k /dev/shm | tail -1; readlink /proc/self/ns/ipc";
    const said = await inside(["--runtime", runtime, "--ipc", "container:donor"], script);
    assert.match(said, /^from-donor\nshm +1024 /);
    assert.ok(said.endsWith(ipc), said);
    assert.equal(await docker("exec", "donor", "cat", "/dev/shm/note"), "from-joiner\n");
  });

  test(`--pid container (${runtime}): the other's processes are seen; a further program sees them too`, async () => {
    await using _donor = await running("donor", "--runtime", runtime);
    await using _joiner = await running("joiner", "--runtime", runtime, "--pid", "container:donor");
    const namespace = await docker("exec", "donor", "readlink", "/proc/1/ns/pid");
    assert.equal(await docker("exec", "joiner", "readlink", "/proc/self/ns/pid"), namespace);
    assert.equal((await docker("exec", "joiner", "ps")).match(/sleep 300/g)?.length, 2);
    const { stdout } = await daemon.docker("top", "joiner");
    assert.equal(stdout.match(/sleep 300/g)?.length, 1, "only its own");
  });

  test(`--pid host (${runtime}): top shows the container's own, and nothing of it outlives it`, async () => {
    const script = "sleep 54321 & sleep 0.1; ps -o args | grep -c slipway; exec sleep 300";
    await docker("run", "-d", "--name", "hosted", "--runtime", runtime, "--pid", "host", "busybox", "sh", "-c", script);
    await waitUntil(async () => /^[1-9]/.test(await docker("logs", "hosted")), "the host's processes are seen");
    const { stdout } = await daemon.docker("top", "hosted", "-o", "pid,args");
    assert.deepEqual(stdout.match(/sleep \d+/g)?.toSorted(), ["sleep 300", "sleep 54321"]);
    await docker("kill", "hosted");
    await docker("wait", "hosted");
    await waitUntil(
      async () => !(await inside(["--pid", "host"], "ps -o args")).includes("sleep 54321"),
      "all are gone",
    );
    await docker("rm", "-f", "hosted");
  });
}

test("--ipc, --pid: who does not share, does not run, or is not there, is named in Docker's words", async () => {
  await using _donor = await running("donor");
  const join = async (...flags: string[]): Promise<string> => await inside(flags, "true");
  assert.match(
    await join("--ipc", "container:donor"),
    /failed to join IPC namespace: non-shareable IPC \(hint: use IpcMode:shareable for the donor container\)/,
  );
  assert.match(await join("--ipc", "container:nobody"), /No such container: nobody/);
  assert.match(await join("--ipc", "odd"), /invalid IPC mode: odd/);
  assert.match(await join("--hostname", "x", "--uts", "host"), /conflicting options: hostname and the UTS mode/);
  await docker("stop", "-t", "0", "donor");
  assert.match(
    await join("--ipc", "container:donor"),
    /failed to join IPC namespace: container [0-9a-f]{64} is not running/,
  );
  assert.match(
    await join("--pid", "container:donor"),
    /failed to join PID namespace: container [0-9a-f]{64} is not running/,
  );
});

test("--ipc container: after a restart of both the namespace is shared anew, also when the donor was renamed", async () => {
  await using _donor = await running("donor", "--ipc", "shareable");
  await using _joiner = await running("joiner", "--ipc", "container:donor");
  await docker("rename", "donor", "renamed");
  await docker("restart", "-t", "0", "renamed", "joiner");
  const namespace = await docker("exec", "renamed", "readlink", "/proc/self/ns/ipc");
  assert.equal(await docker("exec", "joiner", "readlink", "/proc/self/ns/ipc"), namespace);
  await docker("rename", "renamed", "donor");
});

test("inspect: modes and security options as they were typed", async () => {
  const flags =
    "--ipc shareable --pid host --uts host --cgroupns host --userns host --security-opt no-new-privileges --security-opt label:disable --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt writable-cgroups=false".split(
      " ",
    );
  await docker("create", "--name", "typed", ...flags, "busybox");
  const shown = await docker(
    "inspect",
    "typed",
    "--format",
    "{{with .HostConfig}}{{.IpcMode}} {{.PidMode}} {{.UTSMode}} {{.CgroupnsMode}} {{.UsernsMode}} {{.SecurityOpt}}{{end}}",
  );
  assert.equal(
    shown,
    "shareable host host host host [no-new-privileges label:disable seccomp=unconfined apparmor=unconfined writable-cgroups=false]\n",
  );
  await docker("rm", "typed");
});

test("--security-opt: what there is not, in Docker's words", async () => {
  const refused = async (option: string): Promise<string> => await inside(["--security-opt", option], "true");
  assert.match(await refused("fly=high"), /invalid --security-opt 2: "fly=high"/);
  assert.match(await refused("no-new-privileges=maybe"), /invalid --security-opt 2: "no-new-privileges=maybe"/);
});

test("--security-opt seccomp=FILE: the profile holds, is resolved against the container, and is shared by those that follow", async () => {
  const profile = join(folder, "profile.json");
  const rules = [
    { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 },
    { name: "sethostname", action: "SCMP_ACT_ERRNO", errnoRet: 95, excludes: { caps: ["CAP_SYS_ADMIN"] } },
    { names: ["unlink", "unlinkat"], action: "SCMP_ACT_ERRNO", errnoRet: 95, includes: { minKernel: "99.0" } },
    { names: ["rmdir"], action: "SCMP_ACT_ERRNO", errnoRet: 95, includes: { arches: ["mips"] } },
  ];
  await writeFile(profile, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", archMap: null, syscalls: rules }));
  const script = "mkdir /x; touch /y && rm /y && echo removed; hostname z; grep Seccomp: /proc/self/status";
  const plain =
    /mkdir: can't create directory '\/x': Operation not supported\nhostname: sethostname: Operation not supported\n$/;
  for (const flags of [[], [], ["--runtime", "runc"]]) {
    const said = await inside([...flags, "--security-opt", `seccomp=${profile}`], script);
    assert.match(said, /^removed\nSeccomp:\t2\n/);
    assert.match(said, plain);
  }
  const admin = await inside(["--security-opt", `seccomp=${profile}`, "--cap-add", "SYS_ADMIN"], script);
  assert.ok(admin.includes("mkdir: can't") && !admin.includes("sethostname"), admin);
  const privileged = await inside(["--security-opt", `seccomp=${profile}`, "--privileged"], script);
  assert.ok(privileged.includes("mkdir: can't") && privileged.includes("Seccomp:\t2"), privileged);
});

test("--security-opt seccomp: a profile that is none is refused before anything is made", async () => {
  const bad = async (profile: unknown): Promise<string> => {
    const answer = await daemon.api("POST", "/containers/create", {
      Image: "busybox",
      HostConfig: { SecurityOpt: [`seccomp=${typeof profile === "string" ? profile : JSON.stringify(profile)}`] },
    });
    return `${answer.status} ${answer.body.message}`;
  };
  assert.match(await bad("{"), /^400 decoding seccomp profile failed: /);
  assert.match(await bad({ defaultAction: "SCMP_ACT_SHRUG" }), /^400 unknown action "SCMP_ACT_SHRUG"/);
  assert.match(
    await bad({ defaultAction: "SCMP_ACT_ALLOW", architectures: ["a"], archMap: [{ architecture: "b" }] }),
    /^400 both 'architectures' and 'archMap'/,
  );
  assert.equal(await docker("ps", "-aq"), "");
});

test("--user, --group-add: names that the image does not have", async () => {
  assert.match(
    await inside(["--user", "nobody-here"], "true"),
    /unable to find user nobody-here: no matching entries in passwd file/,
  );
  assert.match(
    await inside(["--group-add", "nowhere"], "true"),
    /unable to find group nowhere: no matching entries in group file/,
  );
  assert.match(await inside(["--cap-add", "FLY"], "true"), /invalid CapAdd: unknown capability: "CAP_FLY"/);
});

test("--init: reaps what others leave, passes signals on, and ends as the program does", async () => {
  assert.equal(
    await inside(["--init"], "(sleep 0.05 & exec sleep 0.01) & sleep 0.3; ps -o stat | grep -c Z; true"),
    "0\n",
  );
  const ended = async (script: string): Promise<number | null> =>
    (await daemon.docker("run", "--rm", "--init", "busybox", "sh", "-c", script)).code;
  assert.deepEqual([await ended("exit 7"), await ended("kill -9 $$")], [7, 137]);
  assert.equal((await daemon.docker("run", "--rm", "--init", "busybox", "/nowhere")).code, 127);
  await docker(
    "run",
    "-d",
    "--init",
    "--name",
    "reached",
    "busybox",
    "sh",
    "-c",
    "trap 'exit 42' TERM; echo up; while :; do sleep 0.05; done",
  );
  await waitUntil(async () => (await docker("logs", "reached")) === "up\n", "it is up");
  await docker("stop", "reached");
  assert.equal(await docker("inspect", "reached", "--format", "{{.State.ExitCode}} {{.HostConfig.Init}}"), "42 true\n");
  await docker("rm", "reached");
});

test("--init: with a terminal the program has it, and may stop and go on its jobs", async () => {
  const said = await inside(
    ["--init", "-t"],
    "set -m; sleep 0.05 & fg; ps -o pid,tty,args | grep -c 'pts/0\\|136,0'; echo jobs work",
  );
  assert.match(said, /jobs work/);
  assert.ok(!said.includes("can't access tty"), said);
});
