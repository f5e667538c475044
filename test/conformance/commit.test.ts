import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ContainerDefaults } from "#core/oci";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { runProgram } from "#fixtures/program";

let daemon: TestDaemon;
let folder: string;

before(async () => {
  daemon = await startDaemon({ busybox: true });
  folder = await mkdtemp(join(tmpdir(), "slipway-commit-"));
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function docker(...args: readonly string[]): Promise<string> {
  return await said(daemon, ...args);
}

interface Inspected {
  readonly Id: string;
  readonly Comment: string;
  readonly Author: string;
  readonly RepoTags: readonly string[] | null;
  readonly RootFS: { readonly Layers: readonly string[] };
  readonly Config: ContainerDefaults & { readonly Env: readonly string[] };
}

async function inspect(image: string): Promise<Inspected> {
  return JSON.parse(await docker("image", "inspect", image))[0];
}

/** Runs a shell text in a new container of that image to its end; answers the container. */
async function worked(name: string, script: string, ...flags: readonly string[]): Promise<string> {
  await docker("run", "--name", name, ...flags, "busybox", "sh", "-ec", script);
  return name;
}

/** Every path of an image's topmost layer, as its blob has them. */
async function topLayer(image: string): Promise<string[]> {
  const { RootFS } = await inspect(image);
  const hex = (RootFS.Layers.at(-1) ?? "").replace("sha256:", "");
  const { stdout } = await runProgram("tar", ["tf", join(daemon.roots.dataRoot, "content/blobs/sha256", hex)]);
  return stdout.trim().split("\n").sort();
}

const changesScript = `
mkdir -p /made/deep; echo new >/made/deep/file; chown 12:34 /made/deep/file; chmod 4750 /made/deep/file
ln /made/deep/file /made/hard; ln -s ../made /made/soft; mkfifo /made/pipe
rm /etc/group; rm -rf /home; mkdir /home; echo mine >/home/mine; rm -rf /root
echo added >>/etc/passwd; touch -d '2001-02-03 04:05:06' /made/deep/file`;

const lookScript = `
cat /made/deep/file /made/soft/deep/file /home/mine; tail -n1 /etc/passwd; ls -A /home
stat -c '%a %u:%g %h %Y' /made/deep/file /made/hard; test -p /made/pipe && echo pipe
for gone in /etc/group /root /home/app; do test -e $gone || echo no $gone; done`;

test("docker commit: an image of what a container changed, which runs, saves, loads and runs again", async () => {
  await worked("maker", changesScript);
  const id = await docker("commit", "-m", "what it made", "-a", "Ana <ana@example.org>", "maker", "made:1");
  assert.match(id, /^sha256:[0-9a-f]{64}$/);
  const image = await inspect("made:1");
  const base = await inspect("busybox");
  assert.equal(image.Id, id);
  assert.equal(image.Comment, "what it made");
  assert.equal(image.Author, "Ana <ana@example.org>");
  assert.deepEqual(image.RootFS.Layers.slice(0, -1), base.RootFS.Layers);
  const history = await docker("history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Comment}}", "made:1");
  assert.match(history.split("\n")[0] ?? "", /^sh -ec/);
  assert.match(history, /\|what it made$/m);
  assert.deepEqual(
    (await topLayer("made:1")).filter((path) => path.includes(".wh.") || path.startsWith("home")),
    [".wh.root", "etc/.wh.group", "home/", "home/.wh..wh..opq", "home/mine"],
  );
  const expected = [
    ...["new", "new", "mine", "added", "mine"],
    ...["4750 12:34 2 981173106", "4750 12:34 2 981173106"],
    ...["pipe", "no /etc/group", "no /root", "no /home/app"],
  ].join("\n");
  assert.equal(await docker("run", "--rm", "made:1", "sh", "-c", lookScript), expected);
  await docker("save", "-o", join(folder, "made.tar"), "made:1");
  await docker("rm", "maker");
  await docker("rmi", "made:1");
  assert.equal(await docker("load", "-q", "-i", join(folder, "made.tar")), "Loaded image: made:1");
  assert.equal((await inspect("made:1")).Id, id);
  assert.equal(await docker("run", "--rm", "made:1", "sh", "-c", lookScript), expected);
});

test("docker commit: configuration of the container, changes over it", async () => {
  const flags = ["-e", "OWN=1", "-w", "/tmp", "-u", "12", "-l", "a=b", "--expose", "81", "--stop-signal", "SIGUSR1"];
  await docker("create", "--name", "configured", ...flags, "--entrypoint", "echo", "busybox", "one", "two");
  await docker("commit", "configured", "conf:plain");
  const { Config: plain } = await inspect("conf:plain");
  assert.deepEqual(plain.Entrypoint, ["echo"]);
  assert.deepEqual(plain.Cmd, ["one", "two"]);
  assert.equal(plain.WorkingDir, "/tmp");
  assert.equal(plain.User, "12");
  assert.equal(plain.StopSignal, "SIGUSR1");
  assert.deepEqual(plain.Labels, { a: "b" });
  assert.deepEqual(plain.ExposedPorts, { "81/tcp": {} });
  assert.ok(plain.Env.includes("OWN=1"));
  const changes = ["-c", "ENV OWN=2 MORE='x y'", "-c", "LABEL c=d", "-c", 'CMD ["three"]', "-c", "WORKDIR sub"];
  await docker("commit", ...changes, "configured", "conf:changed");
  const { Config: changed } = await inspect("conf:changed");
  assert.deepEqual(changed.Cmd, ["three"]);
  assert.equal(changed.WorkingDir, "/tmp/sub");
  assert.deepEqual(changed.Labels, { a: "b", c: "d" });
  assert.ok(changed.Env.includes("OWN=2") && changed.Env.includes("MORE=x y") && !changed.Env.includes("OWN=1"));
  assert.equal(await docker("run", "--rm", "-w", "/", "conf:changed"), "three");
  await refused(daemon, "FROM is not a valid change command", "commit", "-c", "FROM scratch", "configured");
});

test("docker commit: a container that wrote nothing gets no layer, and no mount point of ours", async () => {
  await worked("idle", "true", "-v", `${folder}:/etc`);
  await docker("commit", "idle", "idle:1");
  const [image, base] = [await inspect("idle:1"), await inspect("busybox")];
  assert.deepEqual(image.RootFS.Layers, base.RootFS.Layers);
  await worked("busy", "echo x >/x; rm -f /.dockerenv");
  await docker("commit", "busy", "busy:1");
  assert.deepEqual(await topLayer("busy:1"), ["./", "x"]);
});

test("docker commit: a running container is held still meanwhile, or not with -p=false; events tell", async () => {
  await docker("run", "-d", "--name", "ticking", "busybox", "sh", "-c", "while :; do date +%N >>/ticks; done");
  const since = String(Math.floor(Date.now() / 1000) - 1);
  await docker("commit", "ticking", "tick:paused");
  await docker("commit", "--pause=false", "ticking", "tick:free");
  assert.equal(await docker("inspect", "-f", "{{.State.Status}}", "ticking"), "running");
  const size = async (): Promise<number> => Number(await docker("exec", "ticking", "stat", "-c", "%s", "/ticks"));
  const before = await size();
  while ((await size()) <= before); // it goes on
  const ids = await docker("commit", "ticking");
  const events = await docker(
    "events",
    "--since",
    since,
    "--until",
    String(Math.ceil(Date.now() / 1000)),
    "--format",
    "{{.Type}} {{.Action}} {{.Actor.Attributes.imageRef}}",
  );
  assert.match(events, /^container commit tick:paused$/m);
  assert.match(events, /^image create/m);
  assert.match(events, /^image tag/m);
  assert.equal((await inspect(ids)).RepoTags?.length ?? 0, 0);
  await docker("rm", "-f", "ticking");
});

test("docker commit: bad requests, and nothing stays of a failure", async () => {
  await refused(daemon, "No such container: nobody", "commit", "nobody");
  await worked("odd", "echo x >/.wh.odd; dd if=/dev/zero of=/big bs=1M count=8 2>/dev/null");
  await refused(daemon, "in an image its name means a removed file", "commit", "odd", "odd:1");
  const names = async (path: string): Promise<number> => (await readdir(join(daemon.roots.dataRoot, path))).length;
  assert.equal(await names("content/ingest"), 0);
  const blobs = await names("content/blobs/sha256");
  await refused(daemon, "invalid reference format", "commit", "odd", "UPPER:1");
  assert.equal((await daemon.api("POST", "/commit?container=odd&repo=a&changes=NOPE")).status, 400);
  assert.equal((await daemon.api("POST", "/commit")).status, 400);
  assert.equal(await names("content/blobs/sha256"), blobs);
});

test("docker commit: a daemon killed in the middle leaves nothing, and no container frozen", async () => {
  await docker(
    "run",
    "-d",
    "--name",
    "large",
    "busybox",
    "sh",
    "-c",
    "dd if=/dev/urandom of=/big bs=1M count=300; echo ready; sleep 1000",
  );
  for (let tries = 0; !(await daemon.docker("logs", "large")).stdout.includes("ready"); tries++) assert.ok(tries < 600);
  const committing = daemon.docker("commit", "large", "large:1");
  const ingest = join(daemon.roots.dataRoot, "content/ingest");
  while ((await readdir(ingest)).length === 0); // it has begun
  await daemon.kill9();
  assert.notEqual((await committing).code, 0);
  await daemon.start();
  assert.equal(await docker("exec", "large", "echo", "moves"), "moves");
  assert.deepEqual(await readdir(ingest), []);
  assert.equal(await docker("images", "-q", "large"), "");
  await docker("rm", "-f", "large");
});
