import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { busyboxArchive, makeTestImage } from "#fixtures/images";
import { mustRun } from "#fixtures/program";

let daemon: TestDaemon;
let folder: string;
let rootTar: string;
let busyboxId: string;

before(async () => {
  daemon = await startDaemon({ busybox: true });
  folder = await mkdtemp(join(tmpdir(), "slipway-images-"));
  await mkdir(join(folder, "root/etc"), { recursive: true });
  await writeFile(join(folder, "root/etc/note"), "imported\n");
  rootTar = join(folder, "root.tar");
  await mustRun("tar", ["-C", join(folder, "root"), "-cf", rootTar, "."]);
  busyboxId = await docker("image", "inspect", "-f", "{{.Id}}", "busybox");
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function docker(...args: readonly string[]): Promise<string> {
  return await said(daemon, ...args);
}

async function namesOf(...args: readonly string[]): Promise<string[]> {
  const text = await docker("images", "--format", "{{.Repository}}:{{.Tag}}", ...args);
  return text.split("\n").filter(Boolean).toSorted();
}

/** Imports the small root filesystem under a name; answers the image's id. */
async function importAs(name: string, ...flags: readonly string[]): Promise<string> {
  return await docker("import", ...flags, rootTar, name);
}

test("docker load: docker-archive and OCI layout, plain, gzip, zstd, xz and bzip2, from file and standard input", async () => {
  const archive = await busyboxArchive();
  for (const [program, ending] of [
    ["gzip", "gz"],
    ["zstd", "zst"],
    ["xz", "xz"],
    ["bzip2", "bz2"],
  ] as const) {
    await mustRun("sh", ["-c", `${program} -qc "$1" > "$2"`, "sh", archive, join(folder, `packed.${ending}`)]);
  }
  const packed = ["gz", "zst", "xz", "bz2"].map((ending) => join(folder, `packed.${ending}`));
  for (const file of [archive, await busyboxArchive("oci"), await busyboxArchive("oci-gzip"), ...packed]) {
    assert.equal(await docker("load", "-q", "-i", file), "Loaded image: busybox:latest", file);
    assert.equal(
      await docker("image", "inspect", "-f", "{{.Id}}", "busybox"),
      busyboxId,
      "the id is the config's digest",
    );
  }
  const { code, stdout } = await daemon.dockerWith({ input: await readFile(archive) }, "load");
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "Loaded image: busybox:latest\n" });
});

test("docker load: what is no image archive, or broken, leaves nothing", async () => {
  const before = await docker("images", "-a", "-q");
  const whole = await readFile(await busyboxArchive());
  await writeFile(join(folder, "cut.tar"), whole.subarray(0, 700_000));
  await writeFile(join(folder, "noise"), Buffer.alloc(5000, "noise "));
  await refused(daemon, /neither manifest\.json nor index\.json/, "load", "-i", rootTar);
  await refused(daemon, /archive is truncated/, "load", "-i", join(folder, "cut.tar"));
  await refused(daemon, /archive/, "load", "-i", join(folder, "noise"));
  assert.equal(await docker("images", "-a", "-q"), before);
});

test("docker save: skopeo reads both forms inside; a second daemon loads several with equal ids", async () => {
  const otherTar = join(folder, "other.tar");
  const otherId = await makeTestImage(otherTar, {
    files: { "etc/mark": "x" },
    names: ["docker.io/team/other:2"],
    form: "oci-gzip",
  });
  await docker("load", "-q", "-i", otherTar);
  const one = join(folder, "one.tar");
  await docker("save", "-o", one, "busybox");
  for (const kind of ["docker-archive", "oci-archive"]) {
    const config = JSON.parse(await mustRun("skopeo", ["inspect", "--config", `${kind}:${one}`]));
    assert.deepEqual(config.config.Cmd, ["sh"], kind);
  }
  const both = join(folder, "both.tar");
  await docker("save", "-o", both, "busybox", "team/other:2");
  await using second = await startDaemon();
  const loaded = await said(second, "load", "-q", "-i", both);
  assert.deepEqual(loaded.split("\n").toSorted(), ["Loaded image: busybox:latest", "Loaded image: team/other:2"]);
  assert.equal(await said(second, "image", "inspect", "-f", "{{.Id}}", "busybox"), busyboxId);
  assert.equal(await said(second, "image", "inspect", "-f", "{{.Id}}", "team/other:2"), otherId);
  assert.equal(await said(second, "run", "--rm", "team/other:2", "cat", "/etc/mark"), "x");
  await docker("rmi", "team/other:2");
});

test("docker save: by id, to standard output; an unknown image writes no file", async () => {
  const { code, stdout } = await daemon.docker("save", busyboxId.slice(7, 19));
  assert.equal(code, 0);
  assert.match(stdout, /manifest\.json/);
  const file = join(folder, "never.tar");
  await refused(daemon, "No such image: nothing-here:latest", "save", "-o", file, "nothing-here");
  await assert.rejects(stat(file), { code: "ENOENT" });
});

test("docker import: file and standard input, packed too, with changes, message and tag", async () => {
  const changes = [
    'CMD ["/x", "y"]',
    "ENV A=b",
    "LABEL l=v",
    "EXPOSE 80",
    "USER app",
    "WORKDIR /srv",
    "STOPSIGNAL INT",
  ];
  const id = await importAs("imported:2", ...changes.flatMap((change) => ["-c", change]), "-m", "by hand");
  assert.match(id, /^sha256:[0-9a-f]{64}$/);
  const [seen] = JSON.parse(await docker("image", "inspect", "imported:2"));
  assert.equal(seen.Id, id);
  assert.equal(seen.Comment, "by hand");
  const given = Object.entries(seen.Config).filter(([, value]) => value !== null);
  assert.deepEqual(Object.fromEntries(given), {
    Cmd: ["/x", "y"],
    Env: ["A=b"],
    ExposedPorts: { "80/tcp": {} },
    Labels: { l: "v" },
    StopSignal: "INT",
    User: "app",
    WorkingDir: "/srv",
  });
  const packed = join(folder, "root.tar.gz");
  await mustRun("sh", ["-c", 'gzip -c "$1" > "$2"', "sh", rootTar, packed]);
  const { code, stdout } = await daemon.dockerWith({ input: await readFile(packed) }, "import", "-");
  assert.equal(code, 0);
  assert.match(await docker("history", stdout.trim()), /Imported from -/);
  await refused(daemon, "FOO is not a valid change command", "import", "-c", "FOO bar", rootTar);
  await refused(daemon, "cannot import digest reference", "import", rootTar, `x@${busyboxId}`);
  await refused(daemon, "operating system is not supported", "import", "--platform", "windows/amd64", rootTar);
  await refused(daemon, "must be lowercase", "import", rootTar, "UPPER:1");
  await refused(daemon, /archive/, "import", join(folder, "root/etc/note"));
  await docker("rmi", "imported:2", stdout.trim());
});

test("docker tag, rmi: untags while other tags are left, the last one deletes", async () => {
  const id = await importAs("first:1");
  await docker("tag", "first:1", "docker.io/library/second");
  await docker("tag", id.slice(7, 19), "localhost:5000/a/third:3");
  await refused(daemon, "is not a valid repository/tag", "tag", "first:1", "UPPER");
  await refused(daemon, "No such image: nothing-here:latest", "tag", "nothing-here", "x");
  assert.equal(await docker("rmi", "first:1"), "Untagged: first:1");
  const short = id.slice(7, 19);
  await refused(
    daemon,
    `conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
    "rmi",
    short,
  );
  assert.equal(await docker("rmi", "library/second:latest"), "Untagged: second:latest");
  const last = (await docker("rmi", "localhost:5000/a/third:3")).split("\n");
  assert.deepEqual(last.slice(0, 2), ["Untagged: localhost:5000/a/third:3", `Deleted: ${id}`]);
  await refused(daemon, "No such image: first:1", "rmi", "first:1");
  const many = await importAs("many:1");
  await docker("tag", many, "many-too:1");
  assert.match(await docker("rmi", "-f", many), /^Untagged: many(-too)?:1\nUntagged: many(-too)?:1\nDeleted: sha256:/);
});

test("docker rmi: an image in use is a conflict; force takes a stopped container's, never a running one's", async () => {
  await docker("tag", "busybox", "used:1");
  const container = await docker("create", "--name", "user", "used:1", "true");
  const shortId = busyboxId.slice(7, 19);
  assert.equal(await docker("rmi", "used:1"), "Untagged: used:1", "another name is left");
  await refused(
    daemon,
    `conflict: unable to remove repository reference "busybox" (must force) - container ${container.slice(0, 12)} is using its referenced image ${shortId}`,
    ...["rmi", "busybox"],
  );
  await refused(
    daemon,
    `conflict: unable to delete ${shortId} (must be forced) - image is being used by stopped container ${container.slice(0, 12)}`,
    ...["rmi", shortId],
  );
  assert.match(await docker("rmi", "-f", "busybox"), /^Untagged: busybox:latest/m);
  assert.equal(await docker("start", "-a", "user"), "", "its files are held");
  await docker("rm", "user");
  await docker("load", "-q", "-i", await busyboxArchive());
  await docker("run", "-d", "--name", "runner", "busybox", "sleep", "60");
  await refused(daemon, "(cannot be forced) - image is being used by running container", "rmi", "-f", shortId);
  assert.equal(await docker("image", "inspect", "-f", "{{.Id}}", "busybox"), busyboxId);
  await docker("rm", "-f", "runner");
});

test("docker images: filters, digests, templates", async () => {
  await importAs("shelf/a:1", "-c", "LABEL tier=web");
  await importAs("shelf/b:1", "-c", "LABEL tier=db", "-c", "LABEL x=");
  await docker("tag", "shelf/b:1", "shelf/b:2");
  const nameless = await docker("import", rootTar);
  assert.deepEqual(await namesOf("shelf/*"), ["shelf/a:1", "shelf/b:1", "shelf/b:2"]);
  assert.deepEqual(await namesOf("shelf/b"), ["shelf/b:1", "shelf/b:2"]);
  assert.deepEqual(await namesOf("shelf/b:2"), ["shelf/b:2"]);
  assert.deepEqual(await namesOf("-f", "label=tier"), ["shelf/a:1", "shelf/b:1", "shelf/b:2"]);
  assert.deepEqual(await namesOf("-f", "label=tier=web"), ["shelf/a:1"]);
  assert.deepEqual(await namesOf("-f", "label=tier", "-f", "label=x"), ["shelf/b:1", "shelf/b:2"]);
  assert.deepEqual(await namesOf("-f", "reference=*/a:*", "-f", "reference=*/b:2"), ["shelf/a:1", "shelf/b:2"]);
  assert.ok((await namesOf("-f", "before=shelf/b:1")).includes("shelf/a:1"));
  assert.deepEqual(await namesOf("-f", "since=shelf/a:1", "-f", "label=tier"), ["shelf/b:1", "shelf/b:2"]);
  assert.equal(await docker("images", "-f", "dangling=true", "-q", "--no-trunc"), nameless);
  assert.equal((await namesOf("-f", "dangling=false")).includes("<none>:<none>"), false);
  assert.equal(await docker("images", "-q", "busybox"), busyboxId.slice(7, 19));
  assert.match(await docker("images", "--digests", "busybox"), /^REPOSITORY +TAG +DIGEST +IMAGE ID +CREATED +SIZE\n/);
  assert.match(
    await docker("images", "--format", "{{.ID}} {{.Size}} {{.CreatedSince}}", "busybox"),
    /^[0-9a-f]{12} [\d.]+MB /,
  );
  await refused(daemon, "invalid filter 'nonsense'", "images", "-f", "nonsense=1");
  await refused(daemon, "invalid filter 'dangling=[maybe]'", "images", "-f", "dangling=maybe");
  await refused(daemon, "No such image: nothing-here:latest", "images", "-f", "since=nothing-here");
  await docker("rmi", "shelf/a:1", "shelf/b:1", "shelf/b:2", nameless);
});

test("docker image inspect, history: templates, layers, sizes", async () => {
  const text =
    "{{.Os}}/{{.Architecture}} {{json .Config.Cmd}} {{len .RootFS.Layers}} {{index .RepoTags 0}} {{.Created}}";
  const seen = await docker("image", "inspect", "-f", text, "busybox");
  assert.match(seen, /^linux\/\w+ \["sh"\] 1 busybox:latest 2026-01-01T00:00:00Z$/);
  const history = (await docker("history", "--no-trunc", "-q", "busybox")).split("\n");
  assert.equal(history[0], busyboxId);
  assert.match(await docker("history", "--format", "{{.Size}}", "busybox"), /MB/);
  await refused(daemon, "No such image: nothing-here:latest", "history", "nothing-here");
  await refused(daemon, "No such image: nothing-here:latest", "image", "inspect", "nothing-here");
});

test("images are found by normalised names, ids and prefixes; an ambiguous prefix is refused", async () => {
  const digits = busyboxId.slice(7);
  for (const name of ["docker.io/library/busybox", "index.docker.io/library/busybox:latest", "library/busybox"])
    assert.equal(await docker("image", "inspect", "-f", "{{.Id}}", name), busyboxId, name);
  for (const id of [digits, busyboxId, digits.slice(0, 12), digits.slice(0, 7), busyboxId.slice(0, 19)])
    assert.equal(await docker("image", "inspect", "-f", "{{.Id}}", id), busyboxId, id);
  const ids = [busyboxId];
  const first = (id: string): string => id.slice(7, 8);
  // With 17 images two begin with the same digit.
  for (let count = 0; new Set(ids.map(first)).size === ids.length; count++) {
    ids.push(await importAs(`prefix:${count}`, "-c", `LABEL n=${count}`));
  }
  const { code, stderr } = await daemon.docker("image", "inspect", first(ids.at(-1) ?? ""));
  assert.equal(code, 1);
  assert.match(stderr, /multiple images found with provided prefix/);
  await docker("rmi", ...ids.slice(1));
});

test("docker image prune: dangling ones, with -a all unused, as filters allow", async () => {
  const nameless = await docker("import", rootTar);
  await importAs("keep:1", "-c", "LABEL keep=yes");
  await importAs("drop:1");
  assert.match(
    await docker("image", "prune", "-f"),
    new RegExp(`deleted: ${nameless}\n(deleted: .*\n)?\nTotal reclaimed space: `),
  );
  assert.match(
    await docker("image", "prune", "-a", "-f", "--filter", "until=2020-01-01"),
    /^Total reclaimed space: 0B$/,
  );
  await docker("create", "--name", "holder", "busybox");
  const pruned = await docker("image", "prune", "-a", "-f", "--filter", "label!=keep=yes");
  assert.match(pruned, /untagged: drop:1/);
  assert.doesNotMatch(pruned, /busybox|keep/);
  assert.deepEqual(await namesOf(), ["busybox:latest", "keep:1"]);
  await refused(daemon, "invalid filter 'nonsense'", "image", "prune", "-f", "--filter", "nonsense=1");
  await docker("rm", "holder");
  await docker("rmi", "keep:1");
});
