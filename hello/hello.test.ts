import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { before, test } from "node:test";
import { repositoryRoot } from "#fixtures/cache";
import { mustRun, runProgram } from "#fixtures/program";
import { freePort } from "#fixtures/registry";

const hello = join(repositoryRoot, "build/hello/hello");
const archive = join(repositoryRoot, "build/hello/hello.tar");

before(async () => {
  await mustRun("sh", [join(repositoryRoot, "hello/build.sh"), process.execPath]);
});

test("hello: greets and names every kind of isolation", async () => {
  const greeting = await mustRun(hello, []);
  assert.match(greeting, /Hello from Slipway!/);
  for (const name of [
    "process",
    "host",
    "network",
    "root filesystem",
    "limits",
    "capabilities",
    "system calls",
    "namespaces",
  ]) {
    assert.match(greeting, new RegExp(`^  ${name} +\\S`, "m"));
  }
});

test("hello: says what it cannot do, on stderr and with a code", async () => {
  const { code, stderr } = await runProgram(hello, ["dance"]);
  assert.equal(code, 2);
  assert.match(stderr, /^usage: hello/);
});

test("hello: is small and needs no library", async () => {
  const program = await readFile(hello);
  assert.ok(program.length < 60 * 1024, `${program.length} bytes`);
  assert.equal(program.includes("ld-linux"), false);
});

test("hello image: is an OCI layout with its ports and labels, and comes out the same each time", async () => {
  const image = JSON.parse(await mustRun("skopeo", ["inspect", "--config", `oci-archive:${archive}`]));
  assert.deepEqual(image.config.Entrypoint, ["/hello"]);
  assert.deepEqual(image.config.ExposedPorts, { "80/tcp": {} });
  assert.equal(image.config.Labels["org.opencontainers.image.title"], "hello");
  const first = createHash("sha256")
    .update(await readFile(archive))
    .digest("hex");
  await mustRun(process.execPath, [join(repositoryRoot, "tools/hello-image.ts")]);
  assert.equal(
    createHash("sha256")
      .update(await readFile(archive))
      .digest("hex"),
    first,
  );
});

test("hello web: serves its page to GET and its head to HEAD, and nothing else", async () => {
  await using server = await startWeb();
  const page = await fetch(server.url);
  const text = await page.text();
  assert.equal(page.status, 200);
  assert.match(text, /<h1>Hello from Slipway<\/h1>/);
  assert.match(text, /Page view 1 /);
  assert.equal(Number(page.headers.get("content-length")), Buffer.byteLength(text));
  const head = await fetch(server.url, { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(await head.text(), "");
  assert.equal((await fetch(`${server.url}/?a=b`)).status, 200);
  assert.equal((await fetch(`${server.url}/other`)).status, 404);
  const post = await fetch(server.url, { method: "POST", body: "x" });
  assert.equal(post.status, 405);
  assert.equal(post.headers.get("allow"), "GET, HEAD");
});

test("hello web: refuses what is no request or too long, and takes one that comes in pieces", async () => {
  await using server = await startWeb();
  assert.match(await talk(server.port, ["nonsense\r\n\r\n"]), /^HTTP\/1\.1 400 /);
  assert.match(await talk(server.port, ["GET /\r\n\r\n"]), /^HTTP\/1\.1 400 /);
  assert.match(await talk(server.port, [`GET / HTTP/1.1\r\nX: ${"a".repeat(5000)}`]), /^HTTP\/1\.1 431 /);
  assert.match(await talk(server.port, ["GE", "T / HT", "TP/1.1\r\nHost: x\r", "\n\r", "\n"]), /^HTTP\/1\.1 200 OK/);
});

test("hello web: answers 200 clients at once, beyond its 64 places", async () => {
  await using server = await startWeb();
  const asked = Array.from({ length: 200 }, async () => await talk(server.port, ["GET / HTTP/1.1\r\n\r\n"]));
  const answers = await Promise.all(asked);
  assert.equal(
    answers.filter((answer) => answer.startsWith("HTTP/1.1 200 OK") && answer.endsWith("</footer>\n")).length,
    200,
  );
});

test("hello web: ends at SIGTERM at once, as process 1 too", async () => {
  const server = await startWeb(["unshare", "--pid", "--fork", "--kill-child"]);
  const inner = (await mustRun("pgrep", ["-P", String(server.process.pid)])).trim();
  const ended = once(server.process, "exit");
  const started = performance.now();
  process.kill(Number(inner), "SIGTERM");
  const [code] = await ended;
  assert.equal(code, 0);
  assert.ok(performance.now() - started < 500);
});

interface Web extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly process: ChildProcess;
}

async function startWeb(around: readonly string[] = []): Promise<Web> {
  const port = await freePort();
  const child = spawn("env", ["--", ...around, hello, "web", String(port)], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  assert.equal(line.toString(), `hello: serving on port ${port}\n`);
  const stop = async (): Promise<void> => {
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  };
  return { port, url: `http://127.0.0.1:${port}`, process: child, [Symbol.asyncDispose]: stop };
}

/** Sends the pieces one after the other and answers all that comes back. */
async function talk(port: number, pieces: readonly string[]): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.setNoDelay(true);
  let answer = "";
  socket.setEncoding("utf8").on("data", (text: string) => (answer += text));
  await once(socket, "connect");
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  if (!socket.readableEnded) await once(socket, "end");
  socket.destroy();
  return answer;
}
