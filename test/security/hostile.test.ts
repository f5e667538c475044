import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { type TestDaemon, startDaemon } from "../fixtures/daemon.ts";
import { mustRun, type Outcome } from "../fixtures/program.ts";
import { type HostileContent, hostileImage } from "./hostile-image.ts";

let daemon: TestDaemon;
/** A folder of the host that no container was given; its content must stay as it is. */
let host: string;
/** A folder of the host that is given to containers. */
let given: string;
before(async () => {
  daemon = await startDaemon({ busybox: true });
  host = await mkdtemp(join(tmpdir(), "slipway-hostile-"));
  given = await mkdtemp(join(tmpdir(), "slipway-given-"));
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(host, { recursive: true, force: true });
  await rm(given, { recursive: true, force: true });
});
beforeEach(async () => {
  for (const folder of [host, given]) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { mode: 0o777 });
  }
  await writeFile(join(host, "secret"), "the host's secret\n");
  await writeFile(join(host, "passwd"), "hostonly:x:0:0:root:/:/bin/sh\n");
});

/** Fails when something came into the host's folder, changed there, or was mounted on it. */
async function checkHost(): Promise<void> {
  assert.deepEqual((await readdir(host)).toSorted(), ["passwd", "secret"]);
  assert.equal(await readFile(join(host, "secret"), "utf8"), "the host's secret\n");
  assert.equal(await readFile(join(host, "passwd"), "utf8"), "hostonly:x:0:0:root:/:/bin/sh\n");
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  for (const folder of [host, given, daemon.roots.execRoot]) assert.ok(!mounts.includes(` ${folder}/`), mounts);
}

let images = 0;
/** Loads an image with such content; answers its name. */
async function load(content: HostileContent): Promise<string> {
  const name = `hostile${++images}`;
  const archive = join(given, `${name}.tar`);
  await hostileImage(archive, name, content);
  const { code, stderr } = await daemon.docker("load", "-q", "-i", archive);
  assert.equal(code, 0, stderr);
  await rm(archive);
  return name;
}

async function run(...args: readonly string[]): Promise<Outcome> {
  return await daemon.dockerWith({ timeoutMs: 20_000 }, "run", "--rm", ...args);
}

/** Whatever happened, the host's file was not seen and the daemon answers. */
async function checkHarmless({ code, stdout, stderr }: Outcome): Promise<void> {
  assert.ok(!(stdout + stderr).includes("the host's secret"), stdout + stderr);
  assert.notEqual(code, 137, "it was not a time limit that ended it");
  await checkHost();
  assert.equal((await daemon.api("GET", "/_ping")).status, 200);
}

/** Ways from a container's folder to the host's, had anybody followed them outside of the container. */
function waysOut(): string[] {
  return [host, `/../../../../../../../..${host}`, `${"../".repeat(20)}${host.slice(1)}`];
}

for (const runtime of ["crun", "runc"] as const) {
  const flags = ["--runtime", runtime];

  for (const folder of ["proc", "sys", "dev", "etc"]) {
    test(`image (${runtime}): /${folder} is a symlink out of the root`, async () => {
      for (const way of waysOut()) {
        const image = await load({ symlinks: { [folder]: way } });
        const outcome = await run(
          ...flags,
          image,
          "sh",
          "-c",
          `ls -la /${folder}/; cat /${folder}/secret; echo > /${folder}/new`,
        );
        await checkHarmless(outcome);
        // runc would follow it: such an image does not run at all.
        if (folder === "dev") assert.match(outcome.stderr, /rootfs\/dev.*[Nn]ot a directory/);
      }
    });
  }

  test(`image (${runtime}): /proc is a symlink within the root: what is masked and read-only stays so`, async () => {
    const image = await load({ symlinks: { proc: "elsewhere" }, files: { "elsewhere/x": "" } });
    const script = [
      "for p in /proc /elsewhere; do",
      "(echo 1 > $p/sys/vm/drop_caches) 2>/dev/null && echo open $p/sys",
      '[ -s $p/keys ] && [ -n "$(cat $p/keys)" ] && echo open $p/keys',
      "(echo h > $p/sysrq-trigger) 2>/dev/null && [ -e $p/self/status ] && echo open $p/sysrq-trigger",
      "done; true",
    ].join("\n");
    const outcome = await run(...flags, image, "sh", "-c", script);
    await checkHarmless(outcome);
    assert.ok(!outcome.stdout.includes("open /"), outcome.stdout);
  });

  test(`image (${runtime}): /etc/hosts, hostname, resolv.conf are symlinks out of the root`, async () => {
    for (const way of waysOut()) {
      const secret = `${way}/secret`;
      const image = await load({
        symlinks: { "etc/hosts": secret, "etc/hostname": secret, "etc/resolv.conf": secret },
      });
      const script = "for f in hosts hostname resolv.conf; do cat /etc/$f; echo overwritten > /etc/$f; done";
      await checkHarmless(await run(...flags, image, "sh", "-c", script));
    }
  });

  test(`image (${runtime}): the target of -v and --tmpfs leads out of the root`, async () => {
    for (const way of waysOut()) {
      const image = await load({ symlinks: { a: way, "dev-shm": way } });
      for (const target of ["/a/b", "/a/b/c", "/a", "/a/secret"]) {
        const script = `echo x > ${target}/written; ls -la / ${target}; cat /a/secret`;
        await checkHarmless(await run(...flags, "-v", `${given}:${target}`, image, "sh", "-c", script));
        await checkHarmless(await run(...flags, "--tmpfs", target, image, "sh", "-c", script));
      }
    }
  });

  test(`image (${runtime}): WORKDIR leads out of the root; it is neither made nor entered there`, async () => {
    for (const way of waysOut()) {
      const image = await load({ symlinks: { w: way }, config: { WorkingDir: "/w/new" } });
      await checkHarmless(await run(...flags, image, "sh", "-c", "pwd; cat ../secret secret; echo > written"));
      await checkHarmless(await run(...flags, "-w", "/w", image, "sh", "-c", "pwd; cat secret; echo > written"));
    }
  });

  test(`image (${runtime}): WORKDIR is a descriptor that the runtime might have left open`, async () => {
    const up = "../".repeat(12);
    const script = `cat ${up}${host.slice(1)}/secret; ls -d ${up}${given.slice(1)}; echo > ${up}${host.slice(1)}/new`;
    const name = `descriptors-${runtime}`;
    await daemon.docker("run", "-d", "--name", name, ...flags, "busybox", "sleep", "60");
    const attempts = Array.from({ length: 14 }, (_unused, at) => `/proc/self/fd/${at + 3}`);
    for (const path of attempts) {
      const first = await run(...flags, "-w", path, "busybox", "sh", "-c", script);
      await checkHarmless(first);
      assert.ok(!first.stdout.includes("slipway-given-"), path);
      const further = await daemon.docker("exec", "-w", path, name, "sh", "-c", script);
      await checkHarmless(further);
      assert.ok(!further.stdout.includes("slipway-given-"), path);
    }
    await daemon.docker("rm", "-f", name);
  });

  test(`container (${runtime}): swaps the targets of its binds for symlinks; the next start does not follow them out`, async () => {
    for (const way of waysOut()) {
      await mkdir(join(given, "volume"), { recursive: true });
      await mkdir(join(given, "other"), { recursive: true });
      const name = `swap-${runtime}`;
      const script = [
        "if [ -e /done ]; then cat /a/secret /a/b/secret /volume/x/secret; echo x > /a/b/c/written; echo x > /volume/x/y/written; exit; fi",
        `: > /done; mv /a /old && ln -s ${way} /a; mkdir /etc2; cp /etc/passwd /etc2; mv /etc /oldetc; ln -s ${way} /etc`,
        `mv /volume/x /volume/old; ln -s ${way} /volume/x; mv /home /oldhome; ln -s ${way} /home`,
      ].join("\n");
      const binds = [
        "-v",
        `${given}/other:/a/b/c`,
        "-v",
        `${given}/volume:/volume`,
        "-v",
        `${given}/other:/volume/x/y`,
      ];
      const first = await daemon.docker(
        "run",
        "--name",
        name,
        ...flags,
        ...binds,
        "-w",
        "/home/app",
        "busybox",
        "sh",
        "-c",
        script,
      );
      assert.ok(first.code < 125, first.stderr);
      const second = await daemon.dockerWith({ timeoutMs: 20_000 }, "start", "-a", name);
      await checkHarmless(second);
      await daemon.docker("rm", "-f", name);
      await checkHost();
      await rm(join(given, "volume"), { recursive: true, force: true });
    }
  });

  test(`container (${runtime}): cannot open the runtime's program for writing, as first program or by exec`, async () => {
    const path = (await mustRun("sh", ["-c", `command -v ${runtime}`])).trim();
    const digest = async (): Promise<string> =>
      createHash("sha256")
        .update(await readFile(path))
        .digest("hex");
    const before = await digest();
    const image = await load({ files: { "bin/again": "#!/proc/self/exe\n" } });
    const name = `exe-${runtime}`;
    // Opens for appending, and writes nothing: success would be a hole, not damage.
    const script = [
      "chmod 755 /bin/again; end=$(($(date +%s) + 2)); while [ $(date +%s) -lt $end ]; do for p in /proc/[0-9]*; do",
      "case $(readlink $p/exe) in /bin/busybox|'') continue;; esac; (: >> $p/exe) 2>/dev/null && echo OPENED $(readlink $p/exe)",
      "done; done",
    ].join(" ");
    await daemon.docker("run", "-d", "--name", name, ...flags, image, "sh", "-c", script);
    for (let tries = 0; tries < 8; tries++) {
      await daemon.docker("exec", name, "/bin/again");
      await daemon.docker("exec", name, "/proc/self/exe", "--version");
    }
    await run(...flags, image, "/proc/self/exe", "--version");
    await daemon.docker("wait", name);
    assert.equal((await daemon.docker("logs", name)).stdout, "");
    assert.equal(await digest(), before);
    await daemon.docker("rm", "-f", name);
  });
}

test("image: /etc/passwd and /etc/group lead out of the root, are no files, or have nonsense in them", async () => {
  for (const way of waysOut()) {
    const image = await load({ symlinks: { "etc/passwd": `${way}/passwd`, "etc/group": `${way}/passwd` } });
    const outcome = await run("--user", "hostonly", image, "id");
    await checkHarmless(outcome);
    assert.equal(outcome.code, 125);
    assert.match(outcome.stderr, /unable to find user hostonly/);
    assert.match((await run("--user", "0:hostonly", image, "id")).stderr, /unable to find group hostonly/);
  }
  const fifo = await load({ fifos: ["etc/passwd", "etc/group"] });
  assert.equal((await run(fifo, "echo", "runs")).stdout, "runs\n");
  const endless = await load({ symlinks: { "etc/passwd": "/dev/zero", "etc/group": "group" } });
  await checkHarmless(await run("--user", "1000", endless, "id"));
  await checkHarmless(await run("--user", "app", endless, "id"));
});

test("image: an id in /etc/passwd that does not fit must not become another user, root least of all", async () => {
  const lines = [
    "big:x:4294967296:4294967296::/:",
    "minus:x:-1:0::/:",
    "words:x:root:root::/:",
    "max:x:4294967295:0::/:",
  ];
  const image = await load({ files: { "etc/passwd": `${lines.join("\n")}\n`, "etc/group": "big:x:4294967296:\n" } });
  for (const user of ["big", "minus", "words", "max", "0:big", "4294967296", "-1"]) {
    const outcome = await run(`--user=${user}`, image, "id", "-u");
    assert.equal(outcome.code, 125, `${user}: ${outcome.stdout}`);
    assert.match(outcome.stderr, /unable to find|must be in range|invalid/, user);
  }
});

test("names: none leaves the daemon's folders", async () => {
  for (const name of ["../../x", "..", ".", "/../x", "a/../../b", "a\nb", "a b", "-x"]) {
    const { status, text } = await daemon.api("POST", `/containers/create?name=${encodeURIComponent(name)}`, {
      Image: "busybox",
    });
    assert.equal(status, 400, `${name.slice(0, 20)} ${text}`);
  }
  for (const id of ["..%2f..%2fetc", "%2e%2e", "..%00", "%2fetc%2fpasswd"]) {
    for (const path of [
      `/containers/${id}/json`,
      `/images/${id}/json`,
      `/exec/${id}/json`,
      `/containers/${id}/logs?stdout=1`,
    ]) {
      const { status } = await daemon.api("GET", path);
      assert.ok(status === 404 || status === 400, `${path}: ${status}`);
    }
  }
  for (const reference of ["../../x", "..", "a/../b", "/etc/passwd", "a:../b"]) {
    const { status } = await daemon.api("POST", `/containers/create`, { Image: reference });
    assert.ok(status === 400 || status === 404, `${reference}: ${status}`);
    assert.equal((await daemon.docker("tag", "busybox", reference)).code, 1, reference);
  }
  await checkHost();
});

test("labels, variables, arguments: newlines and quotes stay data, huge ones are an answer and no end", async () => {
  const odd = 'a\n"}},"process":{"capabilities":{}},\\ \u0000'.replace("\u0000", "") + "\u{1f41a}\r\n[x]";
  const created = await daemon.api("POST", "/containers/create", {
    Image: "busybox",
    Cmd: ["sh", "-c", 'printf %s "$ODD"; env | grep -c "^INJECTED="'],
    Env: [`ODD=${odd}\nINJECTED=1`],
    Labels: { odd, "run.oci.seccomp_bpf_data": "", "run.oci.hooks.stdout": "/tmp/x" },
  });
  assert.equal(created.status, 201, created.text);
  const id: string = created.body.Id;
  assert.equal((await daemon.api("GET", `/containers/${id}/json`)).body.Config.Labels.odd, odd);
  const { stdout } = await daemon.docker("start", "-a", id);
  assert.ok(stdout.startsWith(`${odd}\nINJECTED=1`), JSON.stringify(stdout));
  await daemon.docker("rm", "-f", id);
  for (const sizeBytes of [200_000, 3_000_000, 40_000_000]) {
    const text = "x".repeat(sizeBytes);
    for (const body of [
      { Image: "busybox", Cmd: ["true"], Labels: { text } },
      { Image: "busybox", Cmd: ["true"], Env: [`X=${text}`] },
      { Image: "busybox", Cmd: ["echo", text] },
    ]) {
      const answer = await daemon.api("POST", "/containers/create", body).catch(() => undefined);
      assert.ok(answer === undefined || [201, 400, 413].includes(answer.status), `${answer?.status}`);
      if (answer?.status !== 201) continue;
      const started = await daemon.api("POST", `/containers/${answer.body.Id}/start`);
      assert.ok([204, 400, 500].includes(started.status), `${started.status} ${started.text.slice(0, 200)}`);
      await daemon.api("DELETE", `/containers/${answer.body.Id}?force=1`);
    }
  }
  assert.equal((await run("busybox", "echo", "alive")).stdout, "alive\n");
});

test("mounts: nothing takes the place of /proc", async () => {
  for (const flags of [
    ["-v", `${given}:/proc`],
    ["-v", `${given}:/proc/sys`],
    ["--tmpfs", "/proc"],
  ]) {
    const outcome = await run(...flags, "busybox", "true");
    assert.equal(outcome.code, 125, flags.join(" "));
    assert.match(outcome.stderr, /cannot be mounted because it is inside \/proc/);
  }
});

test("annotations: those of the runtimes are refused, and labels of such names have no effect", async () => {
  for (const name of [
    "run.oci.seccomp_bpf_data",
    "run.oci.hooks.stdout",
    "run.oci.handler",
    "RUN.OCI.x",
    "io.crun.x",
  ]) {
    const outcome = await run("--annotation", `${name}=x`, "busybox", "true");
    assert.equal(outcome.code, 125, name);
    assert.match(outcome.stderr, /reserved for the OCI runtime/);
  }
  assert.equal((await run("--annotation", "org.example.key=x", "busybox", "echo", "runs")).stdout, "runs\n");
  const image = await load({
    config: { Labels: { "run.oci.seccomp_bpf_data": "", "run.oci.keep_original_groups": "1" } },
  });
  assert.equal((await run(image, "grep", "Seccomp:", "/proc/self/status")).stdout, "Seccomp:\t2\n");
});
