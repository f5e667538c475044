import assert from "node:assert/strict";
import { chown, lstat, mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { mustRun } from "#fixtures/program";

let daemon: TestDaemon;
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-mounts-"));
  daemon = await startDaemon({ busybox: true });
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await mustRun("sh", ["-c", 'umount "$1"/*/below 2>/dev/null; true', "sh", folder]);
  await rm(folder, { recursive: true, force: true });
});

const docker = async (...args: string[]): Promise<string> => await said(daemon, ...args);
/** What a script prints in a container with those flags. */
const run = async (...args: string[]): Promise<string> =>
  await docker("run", "--rm", "--network", "none", ...args.slice(0, -1), "busybox", "sh", "-c", args.at(-1) ?? "");
const fails = async (words: RegExp | string, ...args: string[]): Promise<void> => {
  await refused(daemon, words, "run", "--rm", "--network", "none", ...args, "busybox", "true");
};

/** A folder with a file system mounted below it. */
async function folderWithMountBelow(name: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(join(path, "below"), { recursive: true });
  await writeFile(join(path, "below/covered"), "");
  await mustRun("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", join(path, "below")]);
  await writeFile(join(path, "below/file"), "");
  return path;
}

test("--mount type=bind: read-only goes all the way down; bind-recursive says how far", async () => {
  const source = await folderWithMountBelow("recursive");
  const bind = (more: string): string[] => ["--mount", `type=bind,source=${source},target=/b${more}`];
  const probe =
    "ls /b/below; touch /b/x 2>/dev/null && echo top; touch /b/below/x 2>/dev/null && echo below; rm -f /b/x /b/below/x";
  assert.equal(await run(...bind(""), probe), "file\ntop\nbelow");
  assert.equal(await run(...bind(",readonly"), probe), "file");
  assert.equal(await run(...bind(",readonly,bind-recursive=writable"), probe), "file\nbelow");
  assert.equal(await run(...bind(",readonly,bind-recursive=readonly,bind-propagation=rprivate"), probe), "file");
  assert.equal(await run(...bind(",bind-recursive=disabled"), probe), "covered\ntop\nbelow");
});

test("bind-propagation: what the host mounts later comes through to slaves, and what a container mounts to the host when shared", async () => {
  const source = join(folder, "propagating");
  await mkdir(join(source, "below"), { recursive: true });
  await mustRun("mount", ["--bind", source, source]);
  await mustRun("mount", ["--make-shared", source]);
  try {
    await docker(
      "run",
      "-d",
      "--name",
      "slave",
      "--mount",
      `type=bind,src=${source},dst=/b,bind-propagation=rslave`,
      "busybox",
      "sleep",
      "60",
    );
    await docker("run", "-d", "--name", "private", "-v", `${source}:/b`, "busybox", "sleep", "60");
    await mustRun("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", join(source, "below")]);
    const sees = async (name: string): Promise<string> =>
      await docker("exec", name, "sh", "-c", "grep -c /b/below /proc/mounts || true");
    assert.deepEqual([await sees("slave"), await sees("private")], ["1", "0"]);
    await mustRun("umount", [join(source, "below")]);
    await run("--privileged", "-v", `${source}:/b:rshared`, "mount -t tmpfs tmpfs /b/below && touch /b/below/shared");
    assert.ok(await lstat(join(source, "below/shared")));
    await run("-v", `${source}:/b:rshared`, "ls /b/below | grep shared");
    assert.ok(await lstat(join(source, "below/shared")), "the host's mounts outlive the container that shared them");
    await mustRun("umount", [join(source, "below")]);
  } finally {
    await docker("rm", "-f", "slave", "private");
    await mustRun("sh", ["-c", 'umount "$1/below" 2>/dev/null; umount "$1"', "sh", source]);
  }
});

test("-v and --mount: a missing source is made by the one and refused by the other", async () => {
  await run("-v", `${folder}/made/here:/b`, "touch /b/x");
  assert.ok((await stat(join(folder, "made/here/x"))).isFile());
  await fails(
    `bind source path does not exist: ${folder}/missing`,
    "--mount",
    `type=bind,src=${folder}/missing,dst=/b`,
  );
  const { status } = await daemon.api("POST", "/containers/create?name=created", {
    Image: "busybox",
    HostConfig: {
      Mounts: [{ Type: "bind", Source: `${folder}/asked`, Target: "/b", BindOptions: { CreateMountpoint: true } }],
    },
  });
  assert.equal(status, 201);
  await docker("start", "created");
  assert.ok((await stat(join(folder, "asked"))).isDirectory());
  await docker("rm", "-f", "created");
});

test("nested mounts: parents come first, whatever the order in which they were given", async () => {
  await mkdir(join(folder, "inner"));
  await writeFile(join(folder, "inner/f"), "");
  const script = "ls /a/b/c; touch /a/x /a/b/y; grep -o ' /a[^ ]* ' /proc/mounts | tr -d '\\n'";
  const flags = ["-v", `${folder}/inner:/a/b/c`, "--tmpfs", "/a/b", "-v", "outer:/a"];
  assert.equal(await run(...flags, script), "f\n /a  /a/b  /a/b/c");
  assert.equal(
    await run("-v", "outer:/a", "ls -A /a; ls -A /a/b"),
    "b\nx",
    "what was over it did not get into the volume",
  );
  await docker("volume", "rm", "outer");
});

test("one target: one mount", async () => {
  await fails("Duplicate mount point: /a", "-v", "/tmp:/a", "-v", "vol:/a");
  await fails("Duplicate mount point: /a", "-v", "vol:/a/", "--tmpfs", "/a");
  await fails("Duplicate mount point: /a", "--mount", "dst=/a", "--mount", "type=tmpfs,dst=/x/../a");
});

test("volume-subpath: a part of a volume, a file too, read-only all the way; symlinks stay within", async () => {
  await run(
    "-v",
    "parts:/p",
    "mkdir -p /p/a/b; echo text >/p/a/file; ln -s a /p/near; ln -s /etc /p/far; ln -s ../../etc /p/up",
  );
  const sub = (path: string, more = ""): string[] => ["--mount", `src=parts,dst=/s,volume-subpath=${path}${more}`];
  assert.equal(await run(...sub("a"), "ls /s; touch /s/new"), "b\nfile");
  assert.equal(await run(...sub("near/file"), "cat /s"), "text");
  assert.equal(
    await run(...sub("a", ",readonly"), "ls /s; touch /s/x 2>/dev/null || echo locked"),
    "b\nfile\nnew\nlocked",
  );
  assert.equal(await run(...sub("a/file", ",readonly"), "echo x 2>/dev/null >/s || echo locked"), "locked");
  await fails(/failed to mount a subpath: the path far leads out of/, ...sub("far"));
  await fails(/failed to mount a subpath: the path up leads out of/, ...sub("up"));
  await fails(/failed to mount a subpath: cannot follow the path none/, ...sub("none"));
  await fails("subpath must be a relative path within the volume", ...sub("a/../../x"));
  await docker("volume", "rm", "parts");
});

test("type=image: an image's files to be read; it is held meanwhile", async () => {
  await docker("create", "--name", "base", "busybox");
  await docker("commit", "base", "shown");
  await docker("rm", "base");
  const image = ["--mount", "type=image,src=shown,dst=/i"];
  assert.equal(
    await run(...image, "grep root: /i/etc/passwd | cut -c1-5; touch /i/x 2>/dev/null || echo locked"),
    "root:\nlocked",
  );
  assert.equal(
    await run("--mount", "type=image,src=shown,dst=/i,image-subpath=etc/passwd", "cut -c1-5 /i | head -1"),
    "root:",
  );
  await docker("create", "--name", "user", ...image, "busybox");
  await refused(daemon, /image is being used|container [0-9a-f]{12} is using/, "rmi", "shown");
  const [{ Mounts: mounts }] = JSON.parse(await docker("inspect", "user"));
  assert.deepEqual(mounts, [
    { Type: "image", Name: "shown", Source: "", Destination: "/i", Mode: "", RW: false, Propagation: "rprivate" },
  ]);
  await docker("cp", "user:/i/etc/passwd", join(folder, "copied"));
  await docker("rm", "user");
  await docker("rmi", "shown");
  await fails('invalid mount config for type "image": No such image: shown', ...image);
});

test("--volumes-from: others' volumes and binds, with their modes, and read-only on demand", async () => {
  await mkdir(join(folder, "bound"));
  await docker(
    "create",
    "--name",
    "donor",
    "-v",
    "given:/g",
    "-v",
    `${folder}/bound:/b:ro`,
    "--tmpfs",
    "/t",
    "busybox",
  );
  const probe = "for p in /g /b /t; do touch $p/x 2>/dev/null && echo $p; done; true";
  assert.equal(await run("--volumes-from", "donor", probe), "/g");
  assert.equal(await run("--volumes-from", "donor:ro,z", probe), "");
  assert.equal(await run("--volumes-from", "donor", "-v", "instead:/g", "ls /g"), "", "what is asked for comes first");
  await fails("--volumes-from: No such container: nobody", "--volumes-from", "nobody");
  await fails("invalid mode: rx", "--volumes-from", "donor:rx");
  await docker("rm", "donor");
  await docker("volume", "rm", "given", "instead");
});

test("inspect: HostConfig tells what was asked for, and ps finds containers by their volumes", async () => {
  const { body } = await daemon.api("POST", "/containers/create?name=asked", {
    Image: "busybox",
    HostConfig: {
      Binds: ["named:/n:nocopy", `${folder}:/f:ro,rslave`],
      Mounts: [
        { Type: "volume", Source: "other", Target: "/o", VolumeOptions: { NoCopy: true, Labels: { a: "b" } } },
        { Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 65536, Mode: 448 } },
      ],
      VolumeDriver: "local",
    },
  });
  const [facts] = JSON.parse(await docker("inspect", "asked"));
  assert.deepEqual(facts.HostConfig.Binds, ["named:/n:nocopy", `${folder}:/f:ro,rslave`]);
  assert.equal(facts.HostConfig.VolumeDriver, "local");
  assert.deepEqual(facts.HostConfig.Mounts, [
    { Type: "volume", Source: "other", Target: "/o", VolumeOptions: { NoCopy: true, Labels: { a: "b" } } },
    { Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 65536, Mode: 448 } },
  ]);
  const at = (name: string): string => join(daemon.roots.dataRoot, "volumes", name, "_data");
  const volume = { Type: "volume", Driver: "local", RW: true, Propagation: "" };
  assert.deepEqual(facts.Mounts, [
    { Type: "bind", Source: folder, Destination: "/f", Mode: "ro,rslave", RW: false, Propagation: "rslave" },
    { ...volume, Name: "named", Source: at("named"), Destination: "/n", Mode: "nocopy" },
    { ...volume, Name: "other", Source: at("other"), Destination: "/o", Mode: "z" },
    { Type: "tmpfs", Source: "", Destination: "/t", Mode: "", RW: true, Propagation: "" },
  ]);
  assert.equal(await docker("volume", "inspect", "-f", "{{.Labels}}", "other"), "map[a:b]");
  const found = async (value: string): Promise<string> =>
    await docker("ps", "-aq", "--no-trunc", "--filter", `volume=${value}`);
  for (const value of ["named", "/o", at("other"), folder]) assert.equal(await found(value), body.Id, value);
  assert.equal(await found("name"), "");
  assert.match(await docker("ps", "-a", "--format", "{{.Mounts}} {{.LocalVolumes}}"), /named.* 2$/);
  await docker("rm", "asked");
  await docker("volume", "rm", "named", "other");
});

test("cp, commit, export: a stopped container's volumes are there for cp, and not in images and archives", async () => {
  await run("-v", "seen:/v", "mkdir /v/sub; echo old >/v/sub/f");
  await docker(
    "create",
    "--name",
    "stopped",
    "-v",
    "seen:/v",
    "--mount",
    "src=seen,dst=/s,volume-subpath=sub,readonly",
    "busybox",
  );
  await writeFile(join(folder, "new"), "new\n");
  await docker("cp", join(folder, "new"), "stopped:/v/sub/f");
  await refused(daemon, "mounted volume is marked read-only", "cp", join(folder, "new"), "stopped:/s/f");
  assert.equal(await run("-v", "seen:/v", "cat /v/sub/f"), "new");
  await docker("cp", "stopped:/s/f", join(folder, "back"));
  assert.equal(await mustRun("cat", [join(folder, "back")]), "new\n");
  await docker("commit", "stopped", "without");
  assert.equal(await docker("run", "--rm", "without", "sh", "-c", "ls -A /v /s 2>/dev/null | grep -c f || true"), "0");
  assert.ok(
    !(await mustRun("sh", ["-c", `docker -H unix://${daemon.socket} export stopped | tar -t`])).includes("sub"),
  );
  await docker("rm", "stopped");
  await docker("rmi", "without");
  await docker("volume", "rm", "seen");
});

test("user namespaces: volumes have the container's owners, whoever mounts them", async () => {
  const create = async (name: string, command: string, mounts: object[]): Promise<string> => {
    const { status, text } = await daemon.api("POST", `/containers/create?name=${name}`, {
      Image: "busybox",
      Cmd: ["sh", "-c", command],
      HostConfig: { UsernsMode: "auto", NetworkMode: "none", Mounts: mounts },
    });
    assert.equal(status, 201, text);
    await docker("start", "-a", name);
    return await docker("logs", name);
  };
  const script = "stat -c '%u %a' /v/passwd; echo x >/v/mine; chown 5:6 /v/mine";
  assert.equal(
    await create("mapped", script, [{ Type: "volume", Source: "owned", Target: "/v" }]),
    "stat: can't stat '/v/passwd': No such file or directory".slice(0, 0),
  );
  assert.equal(await run("-v", "owned:/v", "stat -c '%u %g' /v/mine"), "5 6");
  assert.equal(await run("-v", "etc:/etc", "stat -c %u /etc/passwd"), "0");
  const shown = await create("again", "stat -c %u /e/passwd /i/etc/passwd; touch /e/new && stat -c %u /e/new", [
    { Type: "volume", Source: "etc", Target: "/e" },
    { Type: "image", Source: "busybox", Target: "/i" },
  ]);
  assert.equal(shown, "0\n0\n0");
  await docker("volume", "create", ..."-o type=tmpfs -o device=tmpfs inmem".split(" "));
  const memory = await create("memory", "touch /m/x && stat -c %u /m/x", [
    { Type: "volume", Source: "inmem", Target: "/m" },
  ]);
  assert.equal(memory, "0");
  await docker("rm", "mapped", "again", "memory");
  await docker("volume", "rm", "owned", "etc", "inmem");
});

test("-v …:U: all of it is given to the container's user, and nothing behind symlinks; system folders are refused", async () => {
  const source = join(folder, "given");
  await mkdir(join(source, "sub"), { recursive: true });
  await writeFile(join(folder, "outside"), "");
  await symlink(join(folder, "outside"), join(source, "link"));
  assert.equal(
    await run(
      "-u",
      "1000:50",
      "-v",
      `${source}:/g:U`,
      "-v",
      "mine:/m:U,z",
      "touch /g/sub/x /m/x && stat -c '%u:%g' /g /g/sub /m",
    ),
    "1000:50\n1000:50\n1000:50",
  );
  assert.deepEqual([(await lstat(join(source, "link"))).uid, (await stat(join(folder, "outside"))).uid], [1000, 0]);
  for (const path of ["/etc", "/", "/usr/bin", "/var/lib"])
    await fails(`chowning a system path is not allowed: ${path}`, "-v", `${path}:/g:U`);
  await symlink("/etc", join(folder, "disguised"));
  await fails("chowning a system path is not allowed: /etc", "-v", `${join(folder, "disguised")}:/g:U`);
  await docker("volume", "rm", "mine");
});

test("--mount …,U and …,idmap: as with -v, by our own client; inspect shows them as asked; other types and unknown words are refused", async () => {
  const source = join(folder, "mounted-given");
  await mkdir(source);
  const look = async (...flags: readonly string[]): Promise<string> => {
    const { stdout, stderr } = await daemon.slipway("run", "--rm", ...flags, "busybox", "stat", "-c", "%u:%g", "/g");
    return (stdout + stderr).trim();
  };
  for (const word of ["U=true", "U", "chown"]) {
    await chown(source, 0, 0);
    assert.equal(await look("-u", "7:8", "--mount", `type=bind,src=${source},dst=/g,${word}`), "7:8", word);
  }
  await chown(source, 0, 0);
  assert.equal(await look("-u", "7:8", "--mount", `type=bind,src=${source},dst=/g,U=false,idmap=false`), "0:0");
  assert.equal(await look("-u", "9:9", "--mount", "type=volume,src=mine,dst=/g,U"), "9:9");
  const map = "idmap=uids=0-5-1;gids=0-6-1";
  assert.equal(await look("--mount", `type=bind,src=${source},dst=/g,${map}`), "5:6");
  assert.match(await look("--mount", `type=bind,src=${source},dst=/g,idmap`), /has no user namespace/);
  assert.match(await look("--mount", "type=bind,src=/etc,dst=/g,U"), /chowning a system path is not allowed: \/etc/);
  assert.match(await look("--mount", "type=tmpfs,dst=/g,U"), /cannot mix 'U' and 'idmap' with mount type 'tmpfs'/);
  assert.match(await look("--mount", `type=bind,src=${source},dst=/g,O`), /invalid field 'O'/);
  await daemon.slipway("create", "--name", "asked", "--mount", `type=bind,src=${source},dst=/g,U,${map}`, "busybox");
  const { body } = await daemon.api("GET", "/containers/asked/json");
  const shown = { Type: "bind", Source: source, Target: "/g" };
  const options = { Chown: true, Idmap: map.replace("idmap=", "") };
  assert.deepEqual(body.HostConfig.Mounts, [{ ...shown, BindOptions: options }]);
  await docker("rm", "asked");
  await docker("volume", "rm", "mine");
});

test("-v …:idmap: files are shown under other ids, and what is stored keeps its own", async () => {
  const source = join(folder, "mapped");
  await mkdir(source);
  await writeFile(join(source, "f"), "");
  await chown(join(source, "f"), 1234, 55);
  const map = "idmap=uids=1234-0-1#0-1234-1;gids=55-0-1#0-55-1";
  assert.equal(await run("-v", `${source}:/m:${map}`, "stat -c '%u %g' /m/f; touch /m/new"), "0 0");
  const { uid, gid } = await stat(join(source, "new"));
  assert.deepEqual([uid, gid], [1234, 55]);
  await fails("idmap: the container has no user namespace", "-v", `${source}:/m:idmap`);
  await fails('invalid idmap: "uids=7"', "-v", `${source}:/m:idmap=uids=7`);
});
