import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type TestDaemon, startDaemon } from "../fixtures/daemon.ts";

let daemon: TestDaemon;
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-userns-"));
  daemon = await startDaemon({ busybox: true });
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** What a command of our own CLI says, standard error included; the docker CLI knows no `--userns auto`. */
async function slipway(...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await daemon.slipway(...args);
  return stdout + stderr;
}

async function inside(flags: readonly string[], script: string): Promise<string> {
  return await slipway("run", "--rm", ...flags, "busybox", "sh", "-c", script);
}

/** A container of that name with ids of its own. */
async function mapped(
  name: string,
  ...flags: readonly string[]
): Promise<AsyncDisposable & { first: number; size: number }> {
  const { code, stderr } = await daemon.slipway(
    "run",
    "-d",
    "--name",
    name,
    "--userns",
    "auto",
    ...flags,
    "busybox",
    "sleep",
    "300",
  );
  assert.equal(code, 0, stderr);
  const [first = 0, size = 0] =
    /^\s*0\s+(\d+)\s+(\d+)$/m
      .exec(await slipway("exec", name, "cat", "/proc/self/uid_map"))
      ?.slice(1)
      .map(Number) ?? [];
  return { first, size, [Symbol.asyncDispose]: async () => void (await slipway("rm", "-f", name)) };
}

for (const runtime of ["crun", "runc"]) {
  const auto = ["--runtime", runtime, "--userns", "auto"];

  test(`--userns auto (${runtime}): root inside is nobody outside; files of image, container and /etc are its own`, async () => {
    await using container = await mapped("mapped", "--runtime", runtime);
    assert.ok(container.first >= 2 ** 31 || container.first >= 100_000);
    assert.equal(container.size, 65_536);
    const pid = Number(await slipway("inspect", "mapped", "--format", "{{.State.Pid}}"));
    assert.match(readFileSync(`/proc/${pid}/status`, "utf8"), new RegExp(`^Uid:\t${container.first}\t`, "m"));
    const script = [
      "ls -ldn / /bin/busybox /etc/passwd /etc/hosts | tr -s ' ' | cut -d' ' -f3,4 | sort -u",
      "echo 192.0.2.1 here >> /etc/hosts && grep -c here /etc/hosts",
      "touch /new && chown 1000:1000 /new && ls -ln /new | tr -s ' ' | cut -d' ' -f3,4",
      "echo changed >> /etc/passwd && ls -ln /etc/passwd | tr -s ' ' | cut -d' ' -f3,4",
      "rm /bin/vi; mv /etc/group /etc/group2; mkdir -p /a/b; ln -s x /a/link; ls /a",
      "touch /dev/shm/x /dev/mqueue/x && echo kernel folders",
    ].join("; ");
    assert.equal(
      await slipway("exec", "mapped", "sh", "-c", script),
      "0 0\n1\n1000 1000\n0 0\nb\nlink\nkernel folders\n",
    );
    assert.match(
      await slipway(
        "exec",
        "-u",
        "1000",
        "mapped",
        "sh",
        "-c",
        "id -u; echo out > /dev/stdout; echo err > /dev/stderr",
      ),
      /^1000\nout\nerr\n$/,
    );
    assert.match(
      await slipway("exec", "-t", "mapped", "sh", "-c", "tty; ls -ln $(tty) | tr -s ' ' | cut -d' ' -f3,4"),
      /^\/dev\/pts\/0\r\n0 5\r\n$/,
    );
    // What is stored keeps its ids: whoever reads layers knows nothing of namespaces.
    const upper = (await slipway("inspect", "mapped", "--format", "{{.GraphDriver.Data.UpperDir}}")).trim();
    const owner = (path: string): number => statSync(join(upper, path)).uid;
    assert.deepEqual([owner("new"), owner("etc/passwd"), owner("a"), owner(".")], [1000, 0, 0, 0]);
  });

  test(`--userns auto (${runtime}): its rights end at its namespaces; in its own network they are whole`, async () => {
    const change = "ip address add 192.0.2.9/32 dev lo && ip address show lo | grep -c 192.0.2.9";
    assert.equal(await inside([...auto, "--cap-add", "NET_ADMIN"], change), "1\n");
    assert.match(await inside(auto, change), /Operation not permitted/);
    const refused = await inside(
      [...auto, "--cap-add", "ALL"],
      "mknod /n b 7 0; echo 1 > /proc/sys/vm/drop_caches; sysctl -w kernel.domainname=x; dmesg; true",
    );
    assert.ok((refused.match(/not permitted|ermission denied|Read-only/g) ?? []).length >= 3, refused);
    assert.match(await inside([...auto, "--network", "none"], "ls /sys/class/net"), /^lo\n$/);
  });

  test(`--userns auto (${runtime}): binds are shown with the host's owners, also from closed folders`, async () => {
    await writeFile(join(folder, "note"), "hello\n", { mode: 0o644 });
    const said = await inside(
      [...auto, "-v", `${folder}/note:/note:ro`],
      "cat /note; ls -ln /note | tr -s ' ' | cut -d' ' -f3; echo x >> /note",
    );
    assert.match(said, /^hello\n65534\n/);
  });

  test(`--userns auto (${runtime}): with --init, a terminal, another user, a read-only root`, async () => {
    assert.match(
      await inside(
        [...auto, "--init", "-t", "--user", "1000:1000", "--read-only", "--tmpfs", "/tmp"],
        "touch /tmp/x && head -c 17 /proc/1/cmdline; echo; id -u; touch /x",
      ),
      /^\/sbin\/docker-init\r\n1000\r\n.*Read-only file system/,
    );
  });
}

test("--userns auto: no two containers share an id; ids outlive the daemon, and come back with the removal", async () => {
  await using one = await mapped("one");
  {
    await using two = await mapped("two");
    assert.ok(two.first >= one.first + one.size || two.first + two.size <= one.first);
    await daemon.kill9();
    await daemon.start();
    assert.match(await slipway("exec", "two", "cat", "/proc/self/uid_map"), new RegExp(`\\b${two.first}\\b`));
    await slipway("restart", "-t", "0", "two");
    assert.match(await slipway("exec", "two", "cat", "/proc/self/uid_map"), new RegExp(`\\b${two.first}\\b`));
    await using three = await mapped("three");
    assert.ok(three.first !== one.first && three.first !== two.first);
  }
  await using again = await mapped("again");
  assert.equal(again.first, one.first + one.size);
});

test("--userns auto: sysctls, limits, devices, names and odd binds work as elsewhere", async () => {
  const flags =
    "--sysctl net.core.somaxconn=77 --shm-size 2m --memory 32m --ulimit nofile=50:60 --device /dev/urandom:/dev/mine:r --hostname h --domainname example.org --cgroupns host --security-opt systempaths=unconfined -v /sys:/host-sys:ro".split(
      " ",
    );
  const script =
    "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/domainname; hostname; ulimit -n; head -c3 /dev/mine | wc -c; df -k /dev/shm | grep -c 2048; ls /host-sys | grep -c kernel";
  assert.equal(await inside(["--userns", "auto", ...flags], script), "77\nexample.org\nh\n50\n3\n1\n1\n");
});

test("--userns auto:size=N: as many ids as asked for; users beyond them cannot be", async () => {
  await using container = await mapped("small", "--userns", "auto:size=2000");
  assert.equal(container.size, 2000);
  assert.match(
    await inside(["--userns", "auto:size=100", "--user", "1000"], "true"),
    /[Ii]nvalid argument|cannot set uid|not mapped/,
  );
  assert.match(await inside(["--userns", "auto:size=0"], "true"), /invalid user namespace mode: auto:size=0/);
  assert.match(await inside(["--userns", "odd"], "true"), /invalid user namespace mode: odd/);
});

test("--userns auto: what it cannot be combined with is said in Docker's words", async () => {
  assert.match(
    await inside(["--userns", "auto", "--privileged"], "true"),
    /privileged mode is incompatible with user namespaces\. {2}You must run the container in the host namespace/,
  );
  assert.match(
    await inside(["--userns", "auto", "--network", "host"], "true"),
    /cannot share the host's network namespace when user namespaces are enabled/,
  );
  assert.match(
    await inside(["--userns", "auto", "--pid", "host"], "true"),
    /cannot share the host PID namespace when user namespaces are enabled/,
  );
});

test("--userns auto: an exec-root that the container's root cannot pass is named, with the remedy", async () => {
  const { execRoot } = daemon.roots;
  await chmod(execRoot, 0o700);
  try {
    const said = await inside(["--userns", "auto"], "true");
    assert.ok(said.includes(`cannot enter ${execRoot}`) && said.includes(`chmod o+x ${execRoot}`), said);
  } finally {
    await chmod(execRoot, 0o711);
  }
});

test("--userns auto: cp, commit, diff and export know nothing of other ids", async () => {
  await using _container = await mapped("copied");
  await writeFile(join(folder, "in"), "from outside\n");
  await daemon.docker("cp", join(folder, "in"), "copied:/srv-in");
  assert.equal(
    await slipway(
      "exec",
      "copied",
      "sh",
      "-c",
      "cat /srv-in; ls -ln /srv-in | tr -s ' ' | cut -d' ' -f3; echo inside > /out; chown 1000 /out",
    ),
    "from outside\n0\n",
  );
  await daemon.docker("cp", "copied:/out", join(folder, "out"));
  assert.equal(await readFile(join(folder, "out"), "utf8"), "inside\n");
  const { stdout: diff } = await daemon.docker("diff", "copied");
  assert.deepEqual(diff.trim().split("\n").toSorted(), ["A /out", "A /srv-in"]);
  await daemon.docker("commit", "copied", "made-of-mapped");
  const owners = "ls -ln /out /srv-in /bin/busybox | tr -s ' ' | cut -d' ' -f3 | tr '\\n' ' '";
  assert.equal((await daemon.docker("run", "--rm", "made-of-mapped", "sh", "-c", owners)).stdout, "0 1000 0 ");
});

test("--userns-remap: for all containers but those that opt out; info says so; joined namespaces bring their ids along", async () => {
  const files = ["/etc/subuid", "/etc/subgid"] as const;
  const texts = files.map((path) => readFileSync(path, "utf8"));
  const config = join(folder, "daemon.json");
  await writeFile(config, JSON.stringify({ "userns-remap": "default", init: true }));
  try {
    await using remapped = await startDaemon({ busybox: true, args: ["--config-file", config] });
    const [, first = ""] = /^dockremap:(\d+):65536$/m.exec(readFileSync("/etc/subuid", "utf8")) ?? [];
    const run = async (...args: readonly string[]): Promise<string> => {
      const { stdout, stderr } = await remapped.docker(...args);
      return (stdout + stderr).trim();
    };
    const map = "tr -s ' ' < /proc/self/uid_map; tr '\\0' ' ' < /proc/1/cmdline | cut -d' ' -f1";
    assert.equal(await run("run", "--rm", "busybox", "sh", "-c", map), `0 ${first} 65536\n/sbin/docker-init`);
    assert.equal(
      await run("run", "--rm", "--userns", "host", "--init=false", "busybox", "sh", "-c", map),
      "0 0 4294967295\nsh",
    );
    assert.match(await run("info", "--format", "{{.SecurityOptions}}"), /name=userns/);
    assert.match(
      await run("run", "--rm", "--privileged", "busybox", "true"),
      /privileged mode is incompatible with user namespaces/,
    );
    assert.equal(await run("run", "--rm", "--privileged", "--userns", "host", "busybox", "echo", "free"), "free");
    await run("run", "-d", "--name", "donor", "--ipc", "shareable", "busybox", "sleep", "300");
    const namespace = await run("exec", "donor", "readlink", "/proc/self/ns/user");
    const joins = [["--ipc"], ["--pid"], ["--network"], ["--ipc", "--pid", "--network"]];
    for (const runtime of ["crun", "runc"]) {
      for (const join_ of joins) {
        const flags = join_.flatMap((flag) => [flag, "container:donor"]);
        const script = "readlink /proc/self/ns/user; touch /x /dev/shm/x && ls /sys/class/net | grep -c lo";
        assert.equal(
          await run("run", "--rm", "--runtime", runtime, ...flags, "busybox", "sh", "-c", script),
          `${namespace}\n1`,
          `${runtime} ${join_.join(" ")}`,
        );
      }
    }
  } finally {
    for (const [index, path] of files.entries()) await writeFile(path, texts[index] ?? "");
  }
});

test("--userns-remap: a user without ids keeps the daemon from starting", async () => {
  await assert.rejects(
    startDaemon({ args: ["--userns-remap", "nobody-here"] }),
    /the user \\?"nobody-here\\?" does not exist/,
  );
});
