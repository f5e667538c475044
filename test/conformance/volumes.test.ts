import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";
import { mustRun } from "#fixtures/program";

let daemon: TestDaemon;
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-volumes-"));
  daemon = await startDaemon({ busybox: true });
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const docker = async (...args: string[]): Promise<string> => await said(daemon, ...args);
const run = async (...args: string[]): Promise<string> =>
  await docker("run", "--rm", "--network", "none", ...args.slice(0, -1), "busybox", "sh", "-c", args.at(-1) ?? "");

async function fails(words: RegExp | string, ...args: string[]): Promise<void> {
  const { code, stderr } = await daemon.docker(...args);
  assert.notEqual(code, 0, args.join(" "));
  if (typeof words === "string") assert.ok(stderr.includes(words), stderr);
  else assert.match(stderr, words);
}

test("volume create, ls, inspect, rm: with labels, options, filters; as docker shows them", async () => {
  assert.equal(await docker("volume", "create", "--label", "kind=test", "--label", "bare", "first"), "first");
  assert.equal(await docker("volume", "create", "first"), "first", "one that is there is answered as it is");
  const anonymous = await docker("volume", "create");
  assert.match(anonymous, /^[0-9a-f]{64}$/);
  const [facts] = JSON.parse(await docker("volume", "inspect", "first"));
  assert.match(facts.CreatedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.deepEqual(
    { ...facts, CreatedAt: "" },
    {
      CreatedAt: "",
      Driver: "local",
      Labels: { kind: "test", bare: "" },
      Mountpoint: join(daemon.roots.dataRoot, "volumes/first/_data"),
      Name: "first",
      Options: null,
      Scope: "local",
    },
  );
  assert.equal((await stat(facts.Mountpoint)).mode & 0o7777, 0o755);
  assert.equal((await stat(join(daemon.roots.dataRoot, "volumes"))).mode & 0o7777, 0o700);
  const names = async (...filters: string[]): Promise<string[]> => {
    const out = await docker("volume", "ls", "-q", ...filters.flatMap((filter) => ["--filter", filter]));
    return out.split("\n").filter((name) => name !== "" && name !== anonymous);
  };
  await docker("volume", "create", "second");
  await docker("create", "--name", "holder", "-v", "second:/data", "busybox");
  assert.deepEqual(await names(), ["first", "second"]);
  assert.deepEqual(await names("label=kind=test", "label=bare"), ["first"]);
  assert.deepEqual(await names("dangling=true"), ["first"]);
  assert.deepEqual(await names("dangling=false"), ["second"]);
  assert.deepEqual(await names("name=sec"), ["second"]);
  assert.deepEqual(await names("name=^first$", "name=^second$"), ["first", "second"]);
  assert.deepEqual(await names("driver=local"), ["first", "second"]);
  assert.deepEqual(await names("driver=other"), []);
  await fails("invalid filter 'colour'", "volume", "ls", "--filter", "colour=red");
  await fails("invalid filter 'dangling=[perhaps]'", "volume", "ls", "--filter", "dangling=perhaps");
  const holder = await docker("inspect", "-f", "{{.Id}}", "holder");
  await fails(`remove second: volume is in use - [${holder}]`, "volume", "rm", "second");
  await fails("get gone: no such volume", "volume", "inspect", "gone");
  await fails("get gone: no such volume", "volume", "rm", "gone");
  assert.equal(await docker("volume", "rm", "-f", "gone"), "gone");
  await docker("rm", "holder");
  assert.equal(await docker("volume", "rm", "first", "second"), "first\nsecond");
  await docker("volume", "rm", anonymous);
  assert.deepEqual(await readdir(join(daemon.roots.dataRoot, "volumes")), []);
});

test("volume create: names, drivers and options that cannot be are refused in docker's words", async () => {
  await fails(
    "volume name is too short, names should be at least two alphanumeric characters",
    "volume",
    "create",
    "x",
  );
  await fails('"a/b" includes invalid characters for a local volume name', "volume", "create", "a/b");
  await fails('create v1: invalid option: "colour"', "volume", "create", "-o", "colour=red", "v1");
  await fails('create v1: missing required option: "device"', "volume", "create", "-o", "type=tmpfs", "v1");
  await fails("invalid size: 'much'", "volume", "create", "-o", "size=much", "v1");
  await fails(
    'error looking up volume plugin nobody: plugin "nobody" not found',
    "volume",
    "create",
    "-d",
    "nobody",
    "v1",
  );
  await fails("needs the server's address", "volume", "create", ..."-o type=nfs -o device=:/x v1".split(" "));
  const { status, body } = await daemon.api("PUT", "/volumes/v1?version=1", { Spec: {} });
  assert.deepEqual(
    [status, body.message],
    [503, "volume update only valid for cluster volumes, but swarm is unavailable"],
  );
  assert.equal(await docker("volume", "ls", "-q"), "");
});

test("copy-up: an empty volume gets the image's files with owners, modes, times, attributes, hard links and symlinks; a full one stays", async () => {
  const image = join(folder, "image");
  const data = join(image, "srv/data");
  await mkdir(join(data, "sub"), { recursive: true });
  for (const [path, text] of Object.entries({ plain: "one", "sub/deep": "two" }))
    await writeFile(join(data, path), text);
  const script = `ln plain sub/linked; ln -s ../plain sub/soft; ln -s /srv/data absolute; chmod 4750 sub/deep
    chown 1000:50 plain; chown 7:8 .; chmod 1771 .; setfattr -n user.note -v kept plain; touch -d @1000000000 plain; mkfifo pipe`;
  await mustRun("sh", ["-ec", `cd "$1"\n${script}`, "sh", data]);
  await mustRun("sh", ["-ec", `tar -C "$1" --xattrs -cf "$2" .`, "sh", image, join(folder, "filled.tar")]);
  await docker("import", join(folder, "filled.tar"), "filled");
  await docker("create", "--name", "c1", "-v", "copied:/srv/data", "-v", "bare:/srv/data/sub:nocopy", "filled", "x");
  const at = join(daemon.roots.dataRoot, "volumes/copied/_data");
  const facts = async (path: string): Promise<string> =>
    await mustRun("stat", ["--format=%F %a %u:%g %h %Y", join(at, path)]);
  assert.match(await facts("."), /^directory 1771 7:8 /);
  assert.equal(await facts("plain"), "regular file 644 1000:50 2 1000000000\n");
  assert.match(await facts("sub/deep"), /^regular file 4750 0:0 1 /);
  assert.match(await facts("pipe"), /^fifo /);
  assert.equal((await stat(join(at, "plain"))).ino, (await stat(join(at, "sub/linked"))).ino);
  assert.match(await mustRun("getfattr", ["-d", "--absolute-names", join(at, "plain")]), /user\.note="kept"/);
  assert.equal(await mustRun("readlink", [join(at, "absolute"), join(at, "sub/soft")]), "/srv/data\n../plain\n");
  assert.deepEqual(await readdir(join(daemon.roots.dataRoot, "volumes/bare/_data")), []);
  assert.deepEqual(await readdir(join(daemon.roots.dataRoot, "volumes/copied")), ["_data"]);
  await writeFile(join(at, "plain"), "changed");
  await docker("create", "--name", "c2", "-v", "copied:/etc", "busybox");
  assert.equal(await readFile(join(at, "plain"), "utf8"), "changed");
  assert.deepEqual((await readdir(at)).toSorted(), ["absolute", "pipe", "plain", "sub"]);
  await fails(
    "cannot mount volume over existing file, file exists in the image",
    ...["create", "-v", "over:/etc/passwd", "busybox"],
  );
  await docker("rm", "c1", "c2");
  await docker("volume", "prune", "-af");
});

test("copy-up: a volume that is mounted read-only is filled all the same; one that is read-only itself is left as it is", async () => {
  assert.match(
    await run("-v", "ro:/etc:ro", "touch /etc/x 2>/dev/null || echo locked; head -c5 /etc/passwd"),
    /^locked\nroot:$/,
  );
  const closed = join(folder, "closed");
  await mkdir(closed);
  await docker("volume", "create", ..."-o type=none -o o=bind,ro -o".split(" "), `device=${closed}`, "closed");
  assert.equal(await run("-v", "closed:/etc/sub", "ls /etc/sub"), "");
  await docker("create", "--name", "over-etc", "-v", "closed:/etc", "busybox");
  assert.deepEqual(await readdir(closed), []);
  await docker("rm", "over-etc");
  await docker("volume", "rm", "ro", "closed");
});

test("copy-up: a container that has the empty volume mounted already sees the copy", async () => {
  await docker("run", "-d", "--name", "early", "-v", "late:/data", "busybox", "sleep", "60");
  await docker("create", "--name", "filler", "-v", "late:/etc", "busybox");
  assert.match(await docker("exec", "early", "cat", "/data/passwd"), /^root:/);
  assert.deepEqual(await readdir(join(daemon.roots.dataRoot, "volumes/late")), ["_data"]);
  await docker("rm", "-f", "early", "filler");
  await docker("volume", "rm", "late");
});

test("anonymous volumes: go with rm -v, --rm and prune; named ones and those of others stay", async () => {
  const volumes = async (): Promise<number> => (await docker("volume", "ls", "-q")).split("\n").filter(Boolean).length;
  await run("-v", "/own", "-v", "named:/named", "touch /own/x /named/x");
  assert.equal(await docker("volume", "ls", "-q"), "named");
  await docker("create", "--name", "xa", "-v", "/own", "-v", "named:/named", "busybox");
  await docker("create", "--name", "xb", "--volumes-from", "xa", "busybox");
  await docker("rm", "-v", "xa");
  assert.equal(await volumes(), 2, "the other has it still");
  await docker("rm", "-v", "xb");
  assert.equal(await docker("volume", "ls", "-q"), "named");
  await docker("create", "--name", "xc", "-v", "/own", "busybox");
  assert.match(await docker("volume", "prune", "-f"), /^Total reclaimed space: 0B$/);
  await docker("rm", "xc");
  assert.match(await docker("volume", "prune", "-f"), /^Deleted Volumes:\n[0-9a-f]{64}\n/);
  assert.equal(await docker("volume", "ls", "-q"), "named");
  await docker("volume", "create", "--label", "keep", "labelled");
  assert.match(await docker("volume", "prune", "-af", "--filter", "label!=keep"), /^Deleted Volumes:\nnamed\n/);
  const { body } = await daemon.api("POST", "/v1.41/volumes/prune");
  assert.deepEqual(body, { VolumesDeleted: ["labelled"], SpaceReclaimed: 0 }, "older clients mean all");
});

test("an image's VOLUMEs: are made, shown by inspect, and give way to what was asked for", async () => {
  await docker("create", "--name", "base", "busybox");
  await docker("commit", "-c", "VOLUME /etc /data /tmp/x", "base", "declares");
  await docker("create", "--name", "xv", "-v", "/more", "-v", "named:/data", "--tmpfs", "/tmp/x", "declares");
  const [facts] = JSON.parse(await docker("inspect", "xv"));
  assert.deepEqual(Object.keys(facts.Config.Volumes).toSorted(), ["/data", "/etc", "/more", "/tmp/x"]);
  const mounts = facts.Mounts.map(({ Type, Destination, Name }: Record<string, string>) => [
    Type,
    Destination,
    Name === "named" || /^[0-9a-f]{64}$/.test(Name ?? ""),
  ]);
  assert.deepEqual(mounts, [
    ["volume", "/data", true],
    ["volume", "/etc", true],
    ["volume", "/more", true],
  ]);
  const etc = facts.Mounts.find(({ Destination }: { Destination: string }) => Destination === "/etc");
  assert.ok((await readdir(etc.Source)).includes("passwd"));
  await docker("commit", "xv", "again");
  const declared = JSON.parse(await docker("inspect", "-f", "{{json .Config.Volumes}}", "again"));
  assert.deepEqual(
    Object.keys(declared).toSorted(),
    ["/data", "/etc", "/more", "/tmp/x"],
    "commit keeps them declared",
  );
  await docker("rm", "-v", "xv", "base");
  await docker("rmi", "again", "declares");
  await docker("volume", "rm", "named");
  assert.equal(await docker("volume", "ls", "-q"), "");
});

test("local driver: a volume in memory is one for all its users, over a restart of the daemon, and over with the last", async () => {
  await docker("volume", "create", ..."-o type=tmpfs -o device=tmpfs -o o=size=1m,uid=1000 mem".split(" "));
  const start = async (name: string): Promise<string> =>
    await docker("run", "-d", "--name", name, "--network", "none", "-v", "mem:/mem", "busybox", "sleep", "600");
  const sh = async (name: string, script: string): Promise<string> => await docker("exec", name, "sh", "-c", script);
  await Promise.all([start("m1"), start("m2")]);
  await sh("m1", "echo one >/mem/f");
  assert.equal(await sh("m2", "cat /mem/f; stat -c %u /mem; df -k /mem | grep -c ' 1024 '"), "one\n1000\n1");
  await daemon.kill9();
  await daemon.start();
  await start("m3");
  await docker("rm", "-f", "m1");
  assert.equal(await sh("m3", "cat /mem/f && echo two >/mem/g"), "one");
  assert.equal(await sh("m2", "cat /mem/g"), "two");
  const table = await readFile("/proc/self/mountinfo", "utf8");
  assert.ok(!table.includes(daemon.roots.execRoot) && !table.includes(daemon.roots.dataRoot), "nothing on the host");
  await docker("rm", "-f", "m2", "m3");
  assert.equal(await run("-v", "mem:/mem", "-v", "mem:/again:ro", "ls /mem; touch /mem/x; ls /again"), "x");
  await docker("volume", "rm", "mem");
});

test("local driver: folders of the host and other file systems, and clear words for what cannot be mounted", async () => {
  const shared = join(folder, "shared");
  await mkdir(shared);
  await writeFile(join(shared, "f"), "of the host\n");
  await docker("volume", "create", ..."-o type=none -o o=bind,ro -o".split(" "), `device=${shared}`, "locked");
  assert.equal(
    await run("-v", "locked:/l", "cat /l/f; touch /l/x 2>/dev/null || echo read-only"),
    "of the host\nread-only",
  );
  await docker(
    "volume",
    "create",
    ..."-o type=none -o o=bind -o".split(" "),
    `device=${join(folder, "later")}`,
    "later",
  );
  await fails(
    /failed to mount local volume: mount .*\/later: no such file or directory/,
    ..."create -v later:/l busybox".split(" "),
  );
  await mkdir(join(folder, "later"));
  assert.match(await run("-v", "later:/etc", "grep root: /etc/passwd"), /^root:/);
  assert.ok((await readdir(join(folder, "later"))).includes("passwd"), "filled from the image too");
  await docker("volume", "create", ..."-o type=nofs -o device=x odd".split(" "));
  await fails(
    "failed to mount local volume: the kernel has no file system nofs",
    ..."create -v odd:/o busybox".split(" "),
  );
  await docker("volume", "rm", "locked", "later", "odd");
});

test("events: volumes come, are mounted, unmounted and go, with docker's attributes", async () => {
  const since = String(Date.now() / 1000);
  await docker("volume", "create", "told");
  const id = await docker("create", "-v", "told:/t:ro", "busybox", "true");
  await docker("start", "-a", id);
  await docker("rm", id);
  await docker("volume", "rm", "told");
  await docker("volume", "prune", "-f");
  const out = await docker(
    ...["events", "--since", since, "--until", String(Date.now() / 1000 + 1), "--filter", "type=volume"],
    ...["--format", "{{.Action}} {{.Actor.ID}} {{json .Actor.Attributes}}"],
  );
  assert.deepEqual(out.split("\n"), [
    'create told {"driver":"local"}',
    `mount told {"container":"${id}","destination":"/t","driver":"local","propagation":"","read/write":"false"}`,
    `unmount told {"container":"${id}","driver":"local"}`,
    'destroy told {"driver":"local"}',
    'prune  {"reclaimed":"0"}',
  ]);
});
