import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chown, mkdir, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, test } from "node:test";
import { systemClock } from "#core/clock";
import { openDatabase } from "../../host/database.ts";
import { writeFiles } from "#fixtures/files";
import { choose, copied, type FilesBed, openFilesBed } from "./files.fixture.ts";
import type { FileTree } from "./files.ts";
import { type BuildFiles, type ContextOptions, openBuildFiles } from "./open.ts";

let bed: FilesBed;
let files: BuildFiles;
const never = new AbortController().signal;
const undo = new AsyncDisposableStack();

before(async () => {
  bed = undo.use(await openFilesBed());
  files = await opened();
});
after(async () => await undo.disposeAsync());

async function opened(): Promise<BuildFiles> {
  const database = openDatabase(":memory:");
  undo.defer(() => database.close());
  const root = join(bed.folder, "data");
  const paths = { dataRoot: root, execRoot: root, instance: "slipway-test" };
  return undo.use(await openBuildFiles({ shim: bed.shim, database, paths }, systemClock, {}));
}

async function treeOf(path: string, dockerfile?: string): Promise<FileTree> {
  const options: ContextOptions = { name: "context", ...(dockerfile !== undefined && { dockerfile }) };
  const context = await files.openContext({ kind: "folder", path }, options, never);
  assert.ok(context.kind === "tree");
  return context.tree;
}

test("openContext: the Dockerfile's own ignore file comes before the context's; both can be read, and obey the rules for COPY", async () => {
  const folder = join(bed.folder, "context");
  await writeFiles(folder, {
    ".dockerignore": "a\n.dockerignore\nDockerfile\n",
    "sub/Dockerfile": "FROM a",
    "sub/Dockerfile.dockerignore": "b\nsub\n",
    Dockerfile: "FROM b",
    a: "1",
    b: "2",
  });
  await using usual = await treeOf(folder, "Dockerfile");
  assert.equal((await usual.read("Dockerfile", 100, never))?.toString(), "FROM b");
  assert.deepEqual(
    (await copied(await choose(usual, ["."]))).filter((line) => !line.includes("sub")),
    [":/", ":b = 2"],
  );
  await using own = await treeOf(folder, "sub/Dockerfile");
  assert.equal((await own.read("sub/Dockerfile", 100, never))?.toString(), "FROM a");
  assert.deepEqual(
    (await copied(await choose(own, ["."]))).map((line) => line.replace(/ = [^]*/, "")),
    [":/", ":.dockerignore", ":Dockerfile", ":a"],
  );
  await using named = await treeOf(folder);
  await assert.rejects(choose(named, ["a"]), {
    kind: "notFound",
    remedy: /\.dockerignore leaves it out by "a" in line 1/,
  });
  await assert.rejects(own.read("sub/Dockerfile", 3, never), { kind: "tooLarge" });
});

test("openContext: malformed patterns are said with their line; an empty context has nothing", async () => {
  const folder = join(bed.folder, "bad");
  await writeFiles(folder, { ".dockerignore": "ok\n[\n" });
  await assert.rejects(treeOf(folder), {
    kind: "invalid",
    message: /syntax error in pattern \(line 2 of the ignore file\)/,
  });
  const empty = await files.openContext({ kind: "empty" }, { name: "context" }, never);
  assert.ok(empty.kind === "tree");
  await using tree = empty.tree;
  assert.deepEqual(await copied(await choose(tree, ["."])), [":/"]);
});

test("openRoot: the files of a root by its mounts, with their owners; symlinks have it as their root", async () => {
  const [lower, upper, target] = ["lower", "upper", "target"].map((name) => join(bed.folder, "root", name));
  assert.ok(lower !== undefined && upper !== undefined && target !== undefined);
  await writeFiles(lower, { "etc/a": "lower", "etc/b": "lower" });
  await writeFiles(upper, { "etc/a": "upper" });
  await chown(join(upper, "etc/a"), 1000, 1001);
  await symlink("/etc", join(upper, "way"));
  await mkdir(target);
  await using root = files.openRoot("stage build", {
    tree: target,
    mounts: [{ op: "overlay", target, lowers: [upper, lower], options: [] }],
  });
  const selected = await choose(root, ["/way"]);
  assert.deepEqual(await copied(selected), ["way:/", "way:a = upper", "way:b = lower"]);
  for await (const { header } of selected.items[0]?.entries(never) ?? [])
    if (header.path === "a") assert.deepEqual([header.uid, header.gid], [1000, 1001]);
  await assert.rejects(choose(root, ["/etc/c"]), {
    kind: "notFound",
    message: /ref stage build: "\/etc\/c": not found/,
  });
});

test("openBuildFiles: what a daemon that was killed while it unpacked has left is gone after the next start", async () => {
  const place = join(bed.folder, "data/build/contexts");
  const script = `
    const { openArchive } = await import(${JSON.stringify(join(import.meta.dirname, "archive-context.ts"))});
    const { connectShim } = await import(${JSON.stringify(join(import.meta.dirname, "../../host/shim/shim.ts"))});
    const shim = await connectShim({ socketPath: ${JSON.stringify(join(bed.folder, "run/shim.sock"))}, shimPath: "/nonexistent" });
    const header = Buffer.from(process.argv[1], "base64");
    async function* endless() { yield header; for (;;) yield Buffer.alloc(65536); }
    await openArchive({ shim }, ${JSON.stringify(place)}, endless(), "context", new AbortController().signal);
  `;
  const { encodeTarHeader } = await import("#core/tar-write");
  const { tarHeader } = await import("#core/tar");
  const header = encodeTarHeader(tarHeader({ type: "file", path: "big", sizeBytes: 1e9 }));
  const doomed = spawn(process.execPath, ["--input-type=module", "-e", script, header.toString("base64")], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const hasFile = async (): Promise<boolean> => {
    const names = await readdir(place, { recursive: true }).catch(() => []);
    return names.some((name) => name.endsWith("/big"));
  };
  while (doomed.exitCode === null && !(await hasFile())) await sleep(10);
  doomed.kill("SIGKILL");
  await once(doomed, "exit");
  assert.ok(await hasFile());
  files = await opened();
  assert.deepEqual(await readdir(place), []);
});
