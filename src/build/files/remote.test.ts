import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "#core/clock";
import { openDatabase } from "../../host/database.ts";
import { writeFiles } from "#fixtures/files";
import { startGitDaemon } from "#fixtures/git-daemon";
import { choose, copied, type FilesBed, openFilesBed } from "./files.fixture.ts";
import type { FileTree } from "./files.ts";
import { type BuildFiles, openBuildFiles } from "./open.ts";

let bed: FilesBed;
let files: BuildFiles;
let root = "";
let gitUrl = "";
let repositories = "";
let webUrl = "";
const never = new AbortController().signal;
const undo = new AsyncDisposableStack();
const asked: IncomingMessage[] = [];
let serve: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => void response.end();

before(async () => {
  bed = undo.use(await openFilesBed());
  root = join(bed.folder, "data");
  const database = openDatabase(":memory:");
  undo.defer(() => database.close());
  files = await openBuildFiles(
    { shim: bed.shim, database, paths: { dataRoot: root, execRoot: root, instance: "slipway-test" } },
    systemClock,
    {},
  );
  undo.use(files);
  webUrl = await startWeb();
  const daemon = undo.use(await startGitDaemon());
  gitUrl = daemon.url;
  repositories = daemon.folder;
});
after(async () => await undo.disposeAsync());

async function startWeb(): Promise<string> {
  const server = undo.use(
    createServer((request, response) => {
      asked.push(request);
      serve(request, response);
    }),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function git(repository: string, ...args: string[]): string {
  const identity = [
    "-c",
    "user.name=a",
    "-c",
    "user.email=a@b",
    "-c",
    "protocol.file.allow=always",
    "-c",
    "init.defaultBranch=main",
  ];
  const folder = join(repositories, repository);
  return execFileSync("git", [...identity, "-C", folder, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
}

async function repository(name: string, content: Readonly<Record<string, string>>): Promise<string> {
  const folder = join(repositories, name);
  await writeFiles(folder, content);
  git(name, "init", "--quiet");
  return commit(name);
}

function commit(name: string): string {
  git(name, "add", "-A");
  git(name, "commit", "--quiet", "-m", "x");
  return git(name, "rev-parse", "HEAD");
}

async function contextOf(url: string): Promise<FileTree> {
  const opened = await files.openContext({ kind: "remote", url }, { name: "context" }, never);
  assert.ok(opened.kind === "tree");
  return opened.tree;
}

async function linesOf(url: string): Promise<string[]> {
  await using tree = await contextOf(url);
  return await copied(await choose(tree, ["."]));
}

test("git: HEAD, a branch, a tag, a commit, how one begins, a folder; its ignore file counts", async () => {
  const first = await repository("plain.git", { f: "1", "sub/g": "2", "sub/.dockerignore": "h", "sub/h": "3" });
  git("plain.git", "tag", "-a", "-m", "x", "v1");
  git("plain.git", "checkout", "--quiet", "-b", "side");
  await writeFiles(join(repositories, "plain.git"), { f: "side" });
  const second = commit("plain.git");
  git("plain.git", "checkout", "--quiet", "main");
  const url = `${gitUrl}/plain.git`;
  const whole = (text: string): string[] => [
    ":/",
    `:f = ${text}`,
    ":sub/",
    ":sub/.dockerignore = h",
    ":sub/g = 2",
    ":sub/h = 3",
  ];
  assert.deepEqual(await linesOf(url), whole("1"));
  assert.deepEqual(await linesOf(`${url}#side`), whole("side"));
  assert.deepEqual(await linesOf(`${url}#v1`), whole("1"));
  assert.deepEqual(await linesOf(`${url}#${second}`), whole("side"));
  assert.deepEqual(await linesOf(`${url}#${second.slice(0, 8)}`), whole("side"));
  assert.deepEqual(await linesOf(`${url}#:sub`), [":/", ":.dockerignore = h", ":g = 2"]);
  assert.deepEqual(await linesOf(`${url}?branch=side&subdir=sub&checksum=${second.slice(0, 12)}`), [
    ":/",
    ":.dockerignore = h",
    ":g = 2",
  ]);
  await assert.rejects(linesOf(`${url}?tag=v1&checksum=${second}`), {
    kind: "invalid",
    message: `expected checksum to match ${second}, got ${first}`,
  });
  await assert.rejects(linesOf(`${url}#none`), { kind: "notFound" });
  await assert.rejects(linesOf(`${url}#:none`), { kind: "notFound", message: /has no folder "none"/ });
  await assert.rejects(linesOf(`${gitUrl}/none.git`), { kind: "notFound" });
  assert.deepEqual(readdirSync(join(root, "build/contexts")), []);
});

test("git: submodules come along, by relative URLs too; those of other protocols are refused", async () => {
  await repository("inner.git", { i: "1" });
  await repository("middle.git", { m: "2" });
  git("middle.git", "submodule", "--quiet", "add", `${gitUrl}/inner.git`, "deep/inner");
  commit("middle.git");
  await repository("outer.git", { o: "3" });
  git("outer.git", "submodule", "--quiet", "add", `${gitUrl}/middle.git`, "middle");
  git("outer.git", "config", "--file", ".gitmodules", "submodule.middle.url", "../middle.git");
  commit("outer.git");
  const lines = (await linesOf(`${gitUrl}/outer.git`)).filter((line) => !line.includes(".gitmodules"));
  assert.deepEqual(lines, [
    ":/",
    ":middle/",
    ":middle/deep/",
    ":middle/deep/inner/",
    ":middle/deep/inner/i = 1",
    ":middle/m = 2",
    ":o = 3",
  ]);
  assert.ok(!(await linesOf(`${gitUrl}/outer.git?submodules=false`)).includes(":middle/m = 2"));
  for (const url of ["file:///etc", join(repositories, "inner.git"), "ext::sh -c touch% /tmp/x", "--upload-pack=x"]) {
    git("outer.git", "config", "--file", ".gitmodules", "submodule.middle.url", url);
    commit("outer.git");
    await assert.rejects(linesOf(`${gitUrl}/outer.git`), { kind: "invalid" }, url);
  }
});

test("git: nothing of a hostile repository is run, nothing is written outside", async () => {
  const name = "hostile.git";
  await repository(name, { f: "1", ".gitattributes": "* filter=evil diff=evil\n" });
  const folder = join(repositories, name);
  writeFileSync(join(folder, ".git/hooks/post-checkout"), `#!/bin/sh\ntouch ${bed.folder}/ran\n`);
  chmodSync(join(folder, ".git/hooks/post-checkout"), 0o755);
  git(name, "config", "uploadpack.packObjectsHook", `touch ${bed.folder}/ran`);
  symlinkSync(bed.folder, join(folder, "out"));
  commit(name);
  const lines = await linesOf(`${gitUrl}/${name}`);
  assert.ok(lines.includes(`:out -> ${bed.folder}`));
  assert.ok(!readdirSync(bed.folder).includes("ran"));
  await assert.rejects(linesOf(`${gitUrl}/${name}#:out`), { kind: "notFound" });
});

test("checkoutGit: with .git when it is wanted; the digest is of the files alone, and the same each time", async () => {
  const head = await repository("kept.git", { f: "1" });
  const digestOf = async (keepGitDir: boolean): Promise<string> => {
    await using tree = await files.checkoutGit(
      `${gitUrl}/kept.git`,
      { keepGitDir, checksum: head.slice(0, 10) },
      never,
    );
    const selected = await choose(tree, ["."]);
    const hasGit = (await copied(selected)).some((line) => line.startsWith(":.git/HEAD"));
    assert.equal(hasGit, keepGitDir);
    return await selected.digest(never);
  };
  assert.equal(await digestOf(false), await digestOf(false));
  assert.equal(await digestOf(true), await digestOf(true));
  assert.notEqual(await digestOf(true), await digestOf(false));
  await assert.rejects(
    files.checkoutGit(`${gitUrl}/kept.git`, { keepGitDir: false, checksum: "0".repeat(40) }, never),
    { kind: "invalid" },
  );
});

test("git: where there is none, it says so", async () => {
  const withoutGit = {
    ...bed.shim,
    runToEnd: async () => ({ code: 127, signal: null, timedOut: false, stdout: new Uint8Array(), stderr: "" }),
  };
  const { openGit } = await import("./git-program.ts");
  await assert.rejects(openGit(withoutGit, "https://a/b.git", { environment: {} }, never).fetch("/", ["init"]), {
    kind: "unsupported",
    remedy: /Install the package git/,
  });
});

test("http: an archive, a Dockerfile alone, by what the bytes are", async () => {
  await writeFiles(join(bed.folder, "source"), { f: "1" });
  const tar = execFileSync("tar", ["-C", join(bed.folder, "source"), "-czf", "-", "."]);
  serve = (_, response) => void response.end(tar);
  assert.deepEqual(await linesOf(`${webUrl}/context.tar.gz`), [":/", ":f = 1"]);
  serve = (_, response) => void response.end("FROM scratch\n");
  assert.deepEqual(await files.openContext({ kind: "remote", url: `${webUrl}/x` }, { name: "context" }, never), {
    kind: "dockerfile",
    text: "FROM scratch\n",
  });
  serve = (_, response) => void response.writeHead(404).end();
  await assert.rejects(linesOf(`${webUrl}/x?secret`), {
    kind: "notFound",
    message: `${webUrl}/x: invalid response status 404`,
  });
  for (const url of ["ftp://a/b", "/etc", "file:///etc/passwd"])
    await assert.rejects(linesOf(url), { kind: "invalid" }, url);
  assert.deepEqual(readdirSync(join(root, "build/contexts")), []);
});

test("fetchUrl: name, mode, time and checksum; credentials go to their host alone", async () => {
  serve = (request, response) => {
    if (request.url === "/moved") {
      response.writeHead(302, { location: `${webUrl.replace("127.0.0.1", "localhost")}/a%20b.txt` }).end();
      return;
    }
    response.setHeader("last-modified", "Thu, 01 Jan 2015 00:00:00 GMT");
    response.end("hello");
  };
  asked.length = 0;
  const { tree, fileName } = await files.fetchUrl(webUrl.replace("http://", "http://me:pass@") + "/moved", {}, never);
  await using _ = tree;
  assert.equal(fileName, "a b.txt");
  const [item] = (await choose(tree, [fileName])).items;
  for await (const { header } of item?.entries(never) ?? [])
    assert.deepEqual([header.mode, header.mtimeNs, header.sizeBytes], [0o600, 1_420_070_400_000_000_000n, 5]);
  assert.deepEqual(
    asked.map(({ headers }) => headers.authorization),
    ["Basic bWU6cGFzcw==", undefined],
  );
  const right = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
  await (await files.fetchUrl(`${webUrl}/x`, { checksum: right }, never)).tree[Symbol.asyncDispose]();
  await assert.rejects(files.fetchUrl(`${webUrl}/x`, { checksum: `sha256:${"0".repeat(64)}` }, never), {
    kind: "invalid",
    message: /digest mismatch/,
  });
  serve = (_, response) =>
    void response.writeHead(200, { "content-disposition": 'attachment; filename="../evil"' }).end("x");
  const evil = await files.fetchUrl(`${webUrl}/`, {}, never);
  await using __ = evil.tree;
  assert.equal(evil.fileName, "download");
});

test("fetchUrl: what has not changed is not sent again", async () => {
  let [text, sent] = ["one", 0];
  serve = (request, response) => {
    const etag = `"${text}"`;
    response.setHeader("etag", etag);
    const isKnown = request.headers["if-none-match"] === etag;
    if (!isKnown) sent++;
    response.writeHead(isKnown ? 304 : 200).end(isKnown ? undefined : text);
  };
  const content = async (): Promise<string[]> => {
    const { tree, pattern } = await files.fetchUrl(`${webUrl}/etag[1]*`, {}, never);
    await using _ = tree;
    return await copied(await choose(tree, [pattern]));
  };
  assert.deepEqual([await content(), await content(), sent], [["etag[1]*: = one"], ["etag[1]*: = one"], 1]);
  text = "two";
  assert.deepEqual([await content(), await content(), sent], [["etag[1]*: = two"], ["etag[1]*: = two"], 2]);
});

test("fetchUrl: who goes away in the middle leaves nothing; a connection that breaks is said", async () => {
  serve = (_, response) => {
    response.writeHead(200, { "content-length": "1000000" });
    response.write("x".repeat(1000));
  };
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 200);
  await assert.rejects(files.fetchUrl(`${webUrl}/slow`, {}, abort.signal), { kind: "cancelled" });
  serve = (_, response) => {
    response.writeHead(200, { "content-length": "1000000" });
    response.write("x", () => response.destroy());
  };
  await assert.rejects(files.fetchUrl(`${webUrl}/broken`, {}, never), { kind: "unavailable" });
  assert.deepEqual(readdirSync(join(root, "build/contexts")), []);
});

test("fetchUrl, checkoutGit: a full disk is said, and nothing is left", async () => {
  const disk = join(bed.folder, "disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]);
  await using later = new AsyncDisposableStack();
  later.defer(() => void execFileSync("umount", [disk]));
  const database = later.adopt(openDatabase(":memory:"), (open) => open.close());
  const paths = { dataRoot: disk, execRoot: disk, instance: "slipway-test" };
  const small = later.use(await openBuildFiles({ shim: bed.shim, database, paths }, systemClock, {}));
  serve = (_, response) => void response.end(Buffer.alloc(10 << 20));
  await assert.rejects(small.fetchUrl(`${webUrl}/big`, {}, never), { kind: "exhausted" });
  await repository("big.git", { f: randomBytes(4 << 20).toString("hex") });
  await assert.rejects(small.checkoutGit(`${gitUrl}/big.git`, { keepGitDir: false }, never), { kind: "exhausted" });
  assert.deepEqual(readdirSync(join(disk, "build/contexts")), []);
});
