import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type TestDaemon, startDaemon } from "../fixtures/daemon.ts";
import { runProgram } from "../fixtures/program.ts";

let daemon: TestDaemon;
let folder: string;
before(async () => {
  daemon = await startDaemon({ busybox: true });
  folder = await mkdtemp(join(tmpdir(), "slipway-run-"));
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** What `docker run --rm … busybox …` prints; fails the test when it does not exit with 0. */
async function output(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await daemon.docker("run", "--rm", ...args);
  assert.equal(code, 0, stderr);
  return stdout;
}

test("docker run: prints the output and exits with 0", async () => {
  assert.equal(await output("busybox", "echo", "hello"), "hello\n");
});

test("docker run: keeps stdout and stderr apart", async () => {
  const { stdout, stderr } = await daemon.docker("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2");
  assert.deepEqual({ stdout, stderr }, { stdout: "out\n", stderr: "err\n" });
});

test("docker run: the exit code is the program's, 128+n for a signal", async () => {
  assert.equal((await daemon.docker("run", "--rm", "busybox", "sh", "-c", "exit 3")).code, 3);
  assert.equal((await daemon.docker("run", "--rm", "busybox", "sh", "-c", "sleep 9 & kill -9 $!; wait $!")).code, 137);
});

test("docker run: 127 for a program that is not there, 126 for one that cannot run, 125 for Docker's own failures", async () => {
  const missing = await daemon.docker("run", "--rm", "busybox", "no-such-program");
  assert.equal(missing.code, 127, missing.stderr);
  assert.match(missing.stderr, /executable file not found in \$PATH/);
  const folderAsProgram = await daemon.docker("run", "--rm", "busybox", "/etc");
  assert.equal(folderAsProgram.code, 126, folderAsProgram.stderr);
  const badFlag = await daemon.docker("run", "--rm", "--network", "no-such-network", "busybox", "true");
  assert.equal(badFlag.code, 125, badFlag.stderr);
  assert.match(badFlag.stderr, /network no-such-network not found/);
  assert.equal((await daemon.docker("ps", "-aq")).stdout, "", "nothing is left of the failed ones");
});

test("docker run -i: the input reaches the program, its end too", async () => {
  const { code, stdout } = await daemon.dockerWith({ input: "one\ntwo\n" }, "run", "-i", "--rm", "busybox", "cat");
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "one\ntwo\n" });
});

test("docker run: five megabytes of output arrive whole", async () => {
  const text = await output("busybox", "sh", "-c", "seq 1 700000");
  const expected = Array.from({ length: 700_000 }, (_unused, index) => `${index + 1}\n`).join("");
  assert.equal(createHash("sha256").update(text).digest("hex"), createHash("sha256").update(expected).digest("hex"));
});

test("docker run -t: the program has a terminal", async () => {
  assert.equal(await output("-t", "busybox", "sh", "-c", "test -t 0 && test -t 1 && echo terminal"), "terminal\r\n");
});

test("docker run -e, --env-file, -w, -u, --hostname, --entrypoint, -l: the process is as asked", async () => {
  await writeFile(join(folder, "env"), "# comment\nFROM_FILE=a b\nHOME_COPY\n");
  const text = await output(
    ...["-e", "X=1", "-e", "PASSED", "--env-file", join(folder, "env"), "-w", "/some/where", "-u", "1234:99"],
    ...["--hostname", "box", "--entrypoint", "sh", "busybox", "-c", "echo $X $FROM_FILE; pwd; id -u; id -g; hostname"],
  );
  assert.equal(text, "1 a b\n/some/where\n1234\n99\nbox\n");
});

test("docker run --read-only --tmpfs: only the tmpfs can be written", async () => {
  const script = "touch /x 2>/dev/null || echo read-only; touch /scratch/x && grep -c ' /scratch tmpfs ' /proc/mounts";
  assert.equal(
    await output("--read-only", "--tmpfs", "/scratch:size=1m", "busybox", "sh", "-c", script),
    "read-only\n1\n",
  );
});

test("docker run -v: binds a folder, also read-only, and makes a missing source", async () => {
  await writeFile(join(folder, "file"), "from the host\n");
  const script = "cat /data/file; echo x > /data/new; echo y > /locked/new 2>/dev/null || echo locked; ls /made";
  const text = await output(
    ...["-v", `${folder}:/data`, "-v", `${folder}:/locked:ro`, "-v", `${folder}/missing:/made`],
    ...["busybox", "sh", "-c", script],
  );
  assert.equal(text, "from the host\nlocked\n");
  assert.equal(await readFile(join(folder, "new"), "utf8"), "x\n");
});

test("docker run --add-host --dns: the files in /etc say so", async () => {
  const text = await output(
    ...["--add-host", "db:10.9.8.7", "--dns", "192.0.2.53", "--dns-search", "example.test", "--dns-option", "ndots:2"],
    ...["busybox", "sh", "-c", "grep db /etc/hosts; cat /etc/resolv.conf"],
  );
  assert.match(text, /10\.9\.8\.7\s+db/);
  assert.match(text, /nameserver 127\.0\.0\.11\n[^]*ExtServers: \[192\.0\.2\.53\]/);
  assert.match(text, /search example\.test/);
  assert.match(text, /options ndots:2/);
});

test("docker run --init: an init of ours is process 1 and reaps", async () => {
  assert.match(
    await output("--init", "busybox", "sh", "-c", "cat /proc/1/comm; ps -o pid,comm"),
    /docker-init|slipway-shim|init/,
  );
});

test("docker run --memory --cpus --pids-limit: the limits are in force", async () => {
  const script =
    "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max;" +
    "cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max";
  assert.equal(
    await output("-m", "64m", "--cpus", "0.5", "--pids-limit", "50", "busybox", "sh", "-c", script),
    "67108864\n50\n",
  );
});

test("docker run --name: a name that is taken is a conflict in Docker's words", async () => {
  assert.equal((await daemon.docker("create", "--name", "taken", "busybox")).code, 0);
  const second = await daemon.docker("run", "--name", "taken", "busybox");
  assert.equal(second.code, 125);
  assert.match(second.stderr, /Conflict\. The container name "\/taken" is already in use by container "[0-9a-f]{64}"/);
  assert.equal((await daemon.docker("rm", "taken")).code, 0);
});

test("docker run -d: prints the id; wait, logs and inspect tell the end", async () => {
  const { stdout } = await daemon.docker("run", "-d", "busybox", "sh", "-c", "echo working; exit 7");
  const id = stdout.trim();
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.equal((await daemon.docker("wait", id)).stdout, "7\n");
  assert.equal((await daemon.docker("logs", id)).stdout, "working\n");
  assert.equal(
    (await daemon.docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", id)).stdout,
    "exited 7\n",
  );
  assert.equal((await daemon.docker("rm", id)).code, 0);
});

test("docker run --rm: nothing is left, not even when the client goes away", async () => {
  const { stdout } = await daemon.docker("run", "-d", "--rm", "busybox", "true");
  await daemon.docker("wait", stdout.trim());
  assert.equal((await daemon.docker("ps", "-aq", "--no-trunc")).stdout.includes(stdout.trim()), false);
});

test("docker run: flags that are to come say so, with 125", async () => {
  const { code, stderr } = await daemon.docker("run", "--rm", "--isolation", "hyperv", "busybox", "true");
  assert.equal(code, 125);
  assert.match(stderr, /not supported yet/);
});

test("docker run: an image that is not there and cannot be fetched names the reason", async () => {
  const { code, stderr } = await daemon.docker("run", "--rm", "localhost:1/nothing", "true");
  assert.equal(code, 125);
  assert.match(stderr, /localhost:1/);
});

test("docker run --rm: a reader slower than the container gets every byte, though the log rotates and the container is removed", async () => {
  const reading = `docker run --rm busybox dd if=/dev/zero bs=1M count=200 2>/dev/null | (sleep 1; wc -c)`;
  const { code, stdout, stderr } = await runProgram("sh", ["-c", reading], {
    env: { DOCKER_HOST: `unix://${daemon.socket}` },
  });
  assert.deepEqual({ code, stdout: stdout.trim() }, { code: 0, stdout: String(200 * 1024 * 1024) }, stderr);
});
