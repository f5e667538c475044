import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type TestDaemon, startDaemon } from "../fixtures/daemon.ts";
import { type Outcome, runProgram } from "../fixtures/program.ts";

let parent: string;
let daemon: TestDaemon;
let id: string;
/** A daemon that makes its roots itself, in a folder that everybody may enter; a container with secrets runs, and an exec. */
before(async () => {
  parent = await mkdtemp("/run/slipway-test-p");
  await chmod(parent, 0o755);
  const execRoot = join(parent, "slipway-exec");
  const roots = { dataRoot: join(parent, "data"), execRoot, socket: join(execRoot, "api.sock") };
  await mkdir(roots.dataRoot, { mode: 0o755 }); // one that an administrator made, with the usual mode
  await writeFile(`${roots.dataRoot}.marker`, "x\n", { mode: 0o644 });
  daemon = await startDaemon({ busybox: true, roots });
  const script = "echo TOP-SECRET; echo TOP-SECRET > /file; while :; do sleep 1; done";
  const started = await daemon.docker("run", "-d", "-e", "PASSWORD=TOP-SECRET", "busybox", "sh", "-c", script);
  assert.equal(started.code, 0, started.stderr);
  id = started.stdout.trim();
  await daemon.docker("exec", "-d", "-e", "PASSWORD=TOP-SECRET", id, "sleep", "100");
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(parent, { recursive: true, force: true });
});

/** Runs a shell script as nobody: uid and gid 65534, no further groups, no capabilities. */
async function asNobody(script: string): Promise<Outcome> {
  const who = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];
  return await runProgram("setpriv", [...who, "sh", "-c", script]);
}

/** Everything below a folder that is neither a symlink nor in a mounted root, by path. */
function everything(folder: string): string[] {
  const below = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? everything(path) : entry.isSymbolicLink() ? [] : [path];
  });
  return [folder, ...below];
}

test("socket: 0660 of root (and of the group docker where there is one); others get no answer", async () => {
  const facts = statSync(daemon.socket);
  assert.equal(facts.mode & 0o777, 0o660);
  const { stdout } = await runProgram("getent", ["group", "docker"]);
  assert.deepEqual([facts.uid, facts.gid], [0, Number(stdout.split(":")[2] ?? 0)]);
  const ask = (socket: string): string => `curl -s --unix-socket ${socket} http://slipway/_ping; echo " curl $?"`;
  assert.equal((await runProgram("sh", ["-c", ask(daemon.socket)])).stdout, "OK curl 0\n", "root is answered");
  assert.equal((await asNobody(ask(daemon.socket))).stdout, " curl 7\n");
  assert.equal((await asNobody(ask(join(daemon.roots.execRoot, "shim.sock")))).stdout, " curl 7\n");
});

test("roots: another user lists no folder of them and reads no secret, though he knows every path", async () => {
  const { dataRoot, execRoot } = daemon.roots;
  const marker = await asNobody(`cat ${dataRoot}.marker`);
  assert.equal(marker.stdout, "x\n", "what is beside the roots, he reads");
  const paths = [...everything(dataRoot), ...everything(execRoot)];
  assert.ok(paths.some((path) => path.endsWith("config.json")) && paths.some((path) => path.includes("/log/")));
  assert.ok(paths.some((path) => path.includes("/blobs/sha256/")) && paths.some((path) => path.includes("slipway.db")));
  const list = join(parent, "paths");
  await writeFile(list, `${paths.join("\n")}\n`, { mode: 0o644 });
  const script = `while read -r p; do if [ -d "$p" ]; then ls "$p" >/dev/null 2>&1 && echo "lists $p"; elif [ -w "$p" ]; then echo "writes $p"; elif [ -S "$p" ] || [ -p "$p" ]; then :; elif cat "$p" >/dev/null 2>&1; then echo "reads $p"; fi; done < ${list}`;
  const open = (await asNobody(script)).stdout
    .trim()
    .split("\n")
    .filter((line) => line !== "");
  const inFolderOfAdministrator = `lists ${dataRoot}`;
  assert.deepEqual(
    open.filter((line) => line !== inFolderOfAdministrator),
    [],
  );
});

test("roots: those that the daemon makes cannot be listed", () => {
  assert.equal(statSync(daemon.roots.execRoot).mode & 0o007, 0o001);
});

test("processes: nobody's arguments show an environment", async () => {
  const { stdout } = await asNobody("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '");
  assert.match(stdout, /sh -c echo TOP-SECRET/, "commands are seen, as everywhere");
  assert.ok(!stdout.includes("PASSWORD=TOP-SECRET"));
});

test("/etc/hosts and its like: what a container writes goes to the data root's disk, not to the host's memory", async () => {
  const { body } = await daemon.api("GET", `/containers/${id}/json`);
  for (const path of [body.HostsPath, body.HostnamePath, body.ResolvConfPath]) {
    assert.ok(path.startsWith(`${daemon.roots.dataRoot}/`), path);
    assert.ok(statSync(path).size > 0);
  }
  await daemon.docker("exec", id, "sh", "-c", "head -c 100000 /dev/zero >> /etc/hosts");
  assert.ok(statSync(body.HostsPath).size > 100_000);
});
