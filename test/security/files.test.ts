import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as fc from "fast-check";
import { tarHeader, type TarHeader } from "#core/tar";
import { encodeTarHeader, tarEnd, tarPadding } from "#core/tar-write";
import { type ApiAnswer, startDaemon, type TestDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";
import { mustRun } from "#fixtures/program";

let daemon: TestDaemon;
let folder: string;

before(async () => {
  daemon = await startDaemon({ busybox: true });
  folder = await mkdtemp(join(tmpdir(), "slipway-files-"));
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A tar of those entries as they are, however wrong. */
function tarOf(
  ...entries: readonly (Partial<TarHeader> & Pick<TarHeader, "type" | "path"> & { data?: string })[]
): Buffer {
  const blocks = entries.flatMap(({ data = "", ...header }) => {
    const bytes = Buffer.from(data);
    return [encodeTarHeader(tarHeader({ ...header, sizeBytes: bytes.length })), bytes, tarPadding(bytes.length)];
  });
  return Buffer.concat([...blocks, tarEnd]);
}

async function put(
  container: string,
  path: string,
  body: Uint8Array,
  query = "",
): Promise<Pick<ApiAnswer, "status" | "text">> {
  const target = `/containers/${container}/archive?path=${encodeURIComponent(path)}${query}`;
  return await new Promise((resolve, reject) => {
    const asking = request({ socketPath: daemon.socket, method: "PUT", path: target, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    asking.on("error", reject);
    asking.end(body);
  });
}

async function inside(container: string, script: string): Promise<string> {
  return await said(daemon, "exec", container, "sh", "-c", script);
}

function mountsOfHost(): string {
  return readFileSync("/proc/self/mountinfo", "utf8");
}

/** No mount may stay behind, and no program of a copy. */
async function leavesNothing(work: () => Promise<void>): Promise<void> {
  const before = mountsOfHost().split("\n").length;
  await work();
  assert.equal(mountsOfHost().includes(`${daemon.roots.execRoot}/view`), false);
  assert.ok(mountsOfHost().split("\n").length <= before + 4, "mounts stay behind"); // others work on this machine too
}

test("cp: what a hostile archive names stays in its folder", async () => {
  await said(daemon, "run", "-d", "--name", "victim", "busybox", "sleep", "100000");
  await leavesNothing(async () => {
    for (const path of ["../out", "a/../../out", "../../../../../../etc/out"]) {
      const answer = await put("victim", "/tmp", tarOf({ type: "file", path, data: "x" }));
      assert.equal(answer.status, 400, answer.text);
      assert.match(answer.text, /is outside of the folder/);
    }
    const linked = tarOf(
      { type: "file", path: "/absolute", data: "absolute\n" },
      { type: "symlink", path: "escape", linkPath: "/" },
      { type: "symlink", path: "climb", linkPath: "../../../../../../.." },
      { type: "file", path: "escape/made-by-escape", data: "e\n" },
      { type: "file", path: "climb/made-by-climb", data: "c\n" },
      { type: "hardlink", path: "hard", linkPath: "absolute" },
    );
    assert.equal((await put("victim", "/tmp", linked)).status, 200);
    assert.equal(
      await inside("victim", "cat /tmp/absolute /made-by-escape /made-by-climb /tmp/hard"),
      "absolute\ne\nc\nabsolute",
    );
    for (const name of ["made-by-escape", "made-by-climb"]) await assert.rejects(stat(`/${name}`), { code: "ENOENT" });
    assert.equal(
      (await put("victim", "/tmp", tarOf({ type: "hardlink", path: "h", linkPath: "../etc/passwd" }))).status,
      400,
    );
  });
});

test("cp: device nodes, setuid bits, owners and capabilities arrive as they are, and are inert for the daemon", async () => {
  const archive = tarOf(
    { type: "char", path: "null", major: 1, minor: 3, mode: 0o666 },
    { type: "fifo", path: "pipe", mode: 0o600 },
    { type: "file", path: "special", mode: 0o6755, uid: 12, gid: 34, data: "s", mtimeNs: 981173106n * 1_000_000_000n },
    { type: "directory", path: "sticky/", mode: 0o1777, uid: 5, gid: 6 },
  );
  assert.equal((await put("victim", "/home", archive)).status, 200);
  const seen = await inside(
    "victim",
    "cd /home; stat -c '%F %a %u:%g %t,%T' null pipe special sticky; stat -c %Y special",
  );
  assert.equal(
    seen,
    [
      "character special file 666 0:0 1,3",
      "fifo 600 0:0 0,0",
      "regular file 6755 12:34 0,0",
      "directory 1777 5:6 0,0",
      "981173106",
    ].join("\n"),
  );
  // Reading them back must neither hang on the pipe nor open the device.
  await said(daemon, "cp", "-q", "victim:/home", join(folder, "home")).catch(() => undefined);
  assert.equal((await daemon.api("HEAD", "/containers/victim/archive?path=/home/pipe")).status, 200);
});

test("cp: the kernel's own file systems are out of reach, from a running container too", async () => {
  await said(daemon, "run", "-d", "--name", "mighty", "--privileged", "busybox", "sleep", "100000");
  const mounted =
    "mkdir -p /m/proc /m/sys /m/dev; mount -t proc p /m/proc; mount -t sysfs s /m/sys; mount -t devtmpfs d /m/dev; mount -t tmpfs t /m/proc";
  await inside("mighty", `${mounted}; mkdir /m/q; mount -t proc p /m/q; ln -s /m/q /ql`);
  for (const path of [
    "/proc",
    "/sys",
    "/m/q",
    "/m/sys",
    "/ql",
    "/proc/sys/kernel",
    "/sys/fs/cgroup",
    "/m/q/sys/kernel",
  ]) {
    const answer = await put("mighty", path, tarOf({ type: "file", path: "core_pattern", data: "|/evil" }));
    assert.ok(answer.status === 200 || answer.status === 404, `${path}: ${answer.status} ${answer.text}`);
  }
  assert.doesNotMatch(readFileSync("/proc/sys/kernel/core_pattern", "utf8"), /evil/);
  const { status } = await daemon.api("HEAD", "/containers/mighty/archive?path=/proc/version");
  assert.equal(status, 404);
  assert.equal((await daemon.api("HEAD", "/containers/mighty/archive?path=/m/sys/kernel")).status, 404);
  assert.equal((await daemon.api("HEAD", "/containers/mighty/archive?path=/m/dev/null")).status, 404);
});

test("cp: read-only roots and binds are refused in Docker's words; what is mounted is seen", async () => {
  const [readable, writable] = [join(folder, "ro"), join(folder, "rw")];
  for (const path of [readable, writable]) {
    await mkdir(path);
    await writeFile(join(path, "file"), "of the host\n");
  }
  const flags = ["--read-only", "--tmpfs", "/t", "-v", `${readable}:/ro:ro`, "-v", `${writable}:/rw`];
  await said(daemon, "run", "-d", "--name", "strict", ...flags, "busybox", "sleep", "100000");
  await said(daemon, "create", "--name", "strict-stopped", ...flags, "busybox", "true");
  const archive = tarOf({ type: "file", path: "new", data: "new\n" });
  for (const container of ["strict", "strict-stopped"]) {
    const root = await put(container, "/etc", archive);
    assert.deepEqual([root.status, root.text], [403, '{"message":"container rootfs is marked read-only"}\n']);
    const volume = await put(container, "/ro", archive);
    assert.deepEqual([volume.status, volume.text], [403, '{"message":"mounted volume is marked read-only"}\n']);
    assert.equal((await put(container, "/rw", archive)).status, 200);
    assert.equal(await readFile(join(writable, "new"), "utf8"), "new\n");
    await rm(join(writable, "new"));
    assert.equal(await said(daemon, "cp", `${container}:/ro/file`, join(folder, "copied")), "");
    assert.equal(await readFile(join(folder, "copied"), "utf8"), "of the host\n");
  }
  assert.equal((await put("strict", "/t", archive)).status, 200);
  assert.equal(await inside("strict", "cat /t/new"), "new");
  assert.deepEqual(await readdir(readable), ["file"]);
});

test("cp: a container that swaps links under it makes the daemon touch nothing of the host", async () => {
  const bait = join(folder, "bait");
  await mkdir(bait);
  await writeFile(join(bait, "secret"), "secret of the host\n");
  const swap = `mkdir -p /w/real; echo own >/w/real/secret; while :; do ln -sfn ${bait} /w/x; ln -sfn ../../../../../..${bait} /w/x; rm -f /w/x; mkdir /w/x; echo own >/w/x/secret; rm -rf /w/x; done`;
  await said(daemon, "run", "-d", "--name", "swapper", "busybox", "sh", "-c", swap);
  const archive = tarOf(
    { type: "directory", path: "x/" },
    { type: "file", path: "x/planted", data: "p" },
    { type: "file", path: "x/secret", data: "changed" },
  );
  await leavesNothing(async () => {
    const rounds = Array.from({ length: 25 }, async (_, round) => {
      const path = round % 2 === 0 ? "/w/x" : "/w/x/secret";
      // What vanishes while it is read cuts the answer.
      const read = await daemon.api("GET", `/containers/swapper/archive?path=${path}`).catch(() => undefined);
      assert.equal(read?.text.includes("secret of the host") ?? false, false);
      const wrote = await put("swapper", round % 3 === 0 ? "/w/x" : "/w", archive);
      assert.ok([200, 400, 404].includes(wrote.status), wrote.text);
    });
    await Promise.all(rounds);
  });
  assert.deepEqual(await readdir(bait), ["secret"]);
  assert.equal(await readFile(join(bait, "secret"), "utf8"), "secret of the host\n");
  await said(daemon, "rm", "-f", "swapper");
});

test("cp: whatever bytes come as an archive, the answer is a word, and the daemon goes on", async () => {
  const good = tarOf(
    { type: "file", path: "some/file", data: "data" },
    { type: "symlink", path: "l", linkPath: "some" },
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 2000 }),
    fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }).map((changes) => {
      const broken = Buffer.from(good);
      for (const [at, value] of changes) broken[at] = value;
      return broken;
    }),
    fc.nat(good.length).map((length) => good.subarray(0, length)),
  );
  const property = fc.asyncProperty(bytes, async (body) => {
    const { status, text } = await put("victim", "/tmp", body);
    assert.ok([200, 400, 413, 501].includes(status), `${status} ${text}`);
  });
  await fc.assert(property, { numRuns: 60 });
  assert.equal((await put("victim", "/tmp", tarOf({ type: "file", path: "x".repeat(300), data: "" }))).status, 400);
  assert.equal(
    (await put("victim", "/tmp", tarOf({ type: "file", path: `${"y/".repeat(2500)}f`, data: "" }))).status,
    413,
  );
  assert.equal((await daemon.api("GET", "/_ping")).status, 200);
});

test("cp: a client that goes away, a container that goes away", async () => {
  await inside("victim", "dd if=/dev/zero of=/large bs=1M count=200 2>/dev/null");
  await leavesNothing(async () => {
    await new Promise<void>((resolve) => {
      const asking = request(
        { socketPath: daemon.socket, path: "/containers/victim/archive?path=/large", agent: false },
        (answer) => {
          answer.once("data", () => asking.destroy());
          answer.once("error", () => undefined);
          answer.once("close", resolve);
        },
      );
      asking.once("error", () => resolve());
      asking.end();
    });
    await said(daemon, "stop", "-t", "0", "victim");
    await said(daemon, "start", "victim"); // nothing holds it
    assert.equal(await inside("victim", "stat -c %s /large"), String(200 << 20));
    await said(daemon, "rm", "-f", "victim");
  });
  assert.equal((await daemon.api("GET", "/containers/victim/archive?path=/")).status, 404);
  assert.equal((await put("victim", "/", tarOf())).status, 404);
});

test("cp: who reads a stopped container's files and stalls hinders nobody, and leaves its layer as it was", async () => {
  await said(daemon, "create", "--name", "read", "-v", `${folder}:/new/mount/point`, "busybox", "true");
  assert.equal((await put("read", "/", tarOf({ type: "file", path: "large", data: "x".repeat(4 << 20) }))).status, 200);
  const diff = await said(daemon, "diff", "read");
  const path = "/containers/read/archive?path=/large";
  const stalled = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ socketPath: daemon.socket, path, agent: false }, resolve).once("error", reject).end();
  });
  stalled.pause();
  assert.equal((await daemon.api("HEAD", "/containers/read/archive?path=/new/mount/point/bait/secret")).status, 200);
  assert.equal(await said(daemon, "diff", "read"), diff);
  await said(daemon, "start", "read");
  await said(daemon, "rm", "-f", "read");
  stalled.destroy();
});

test("slipway cp: an archive cannot lead the client out of the destination", async () => {
  await said(daemon, "run", "-d", "--name", "liar", "busybox", "sleep", "100000");
  const out = join(folder, "client");
  await mkdir(join(out, "elsewhere"), { recursive: true });
  await mkdir(join(out, "target/dir"), { recursive: true });
  await symlink("../elsewhere", join(out, "target/dir/sub"));
  await inside("liar", "mkdir -p /dir/sub; echo planted >/dir/sub/file; chmod 4755 /dir/sub/file");
  const refused = await daemon.slipway("cp", "liar:/dir", join(out, "target"));
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /cannot overwrite non-directory "dir\/sub" with directory/);
  assert.deepEqual(await readdir(join(out, "elsewhere")), []);
  assert.equal((await daemon.slipway("cp", "liar:/dir/sub/file", join(out, "file"))).code, 0);
  assert.equal((await stat(join(out, "file"))).mode & 0o7777, 0o755, "no setuid bit from a container");
});

test("cp, export, commit: a container with user ids of its own gets and gives them as it sees them", async () => {
  const { code, stderr } = await daemon.slipway(
    "run",
    "-d",
    "--name",
    "shifted",
    "--userns",
    "auto",
    "busybox",
    "sleep",
    "100000",
  );
  assert.equal(code, 0, stderr);
  assert.notEqual((await inside("shifted", "cat /proc/self/uid_map")).trim().split(/\s+/)[1], "0");
  const archive = tarOf(
    { type: "file", path: "own", data: "x\n" },
    { type: "file", path: "other", uid: 12, gid: 34, data: "y\n" },
  );
  assert.equal((await put("shifted", "/tmp", archive)).status, 200);
  const owners = "stat -c '%n %u:%g' /tmp/own /tmp/other";
  assert.equal(await inside("shifted", owners), "/tmp/own 0:0\n/tmp/other 12:34");
  const listed = async (path: string): Promise<string[]> => {
    const command = `curl -sf --unix-socket ${daemon.socket} "http://x/containers/shifted/${path}" | tar tvf - --numeric-owner`;
    const stdout = await mustRun("sh", ["-c", command]);
    return stdout
      .split("\n")
      .map((line) => line.split(/\s+/))
      .filter(([, , , , , name]) => /tmp\/o/.test(name ?? ""))
      .map(([, ids = ""]) => ids);
  };
  assert.deepEqual(await listed("archive?path=/tmp"), ["12/34", "0/0"]);
  assert.deepEqual(await listed("export"), ["12/34", "0/0"]);
  await said(daemon, "commit", "shifted", "shifted:1");
  assert.equal(await said(daemon, "run", "--rm", "shifted:1", "sh", "-c", owners), "/tmp/own 0:0\n/tmp/other 12:34");
  await said(daemon, "stop", "-t", "0", "shifted");
  assert.equal((await put("shifted", "/tmp", tarOf({ type: "file", path: "later", data: "z\n" }))).status, 200);
  assert.deepEqual(await listed("archive?path=/tmp"), ["12/34", "0/0"]);
  await said(daemon, "start", "shifted");
  assert.equal(await inside("shifted", "stat -c %u /tmp/later"), "0");
});
