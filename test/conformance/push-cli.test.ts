import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, test } from "node:test";
import Docker from "dockerode";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { startFaultyRegistry } from "#fixtures/faulty-registry";
import { mustRun, runProgram } from "#fixtures/program";
import { startRegistry, type TestRegistry } from "#fixtures/registry";

let daemon: TestDaemon;
let registry: TestRegistry;
let folder: string;

before(async () => {
  [daemon, registry, folder] = await Promise.all([
    startDaemon({ busybox: true }),
    startRegistry(),
    mkdtemp(join(tmpdir(), "slipway-push-")),
  ]);
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** An image of noise on top of busybox, under that name. */
async function makeImage(name: string, sizeBytes: number): Promise<void> {
  const container = await said(daemon, "create", "busybox", "true");
  const noise = join(folder, "noise");
  await mustRun("sh", ["-c", 'head -c "$0" /dev/urandom > "$1"', `${sizeBytes}`, noise]);
  await said(daemon, "cp", noise, `${container}:/noise`);
  await said(daemon, "commit", container, name);
  await said(daemon, "rm", container);
}

async function digestOf(name: string): Promise<string> {
  const args = ["inspect", "--tls-verify=false", "--format", "{{.Digest}}", `docker://${name}`];
  return (await mustRun("skopeo", args)).trim();
}

test("docker push: lines as of Docker; again, nothing is sent; an empty daemon and skopeo get the same image", async () => {
  const name = `${registry.address}/team/made:1`;
  await makeImage(name, 3 << 20);
  const first = await said(daemon, "push", name);
  assert.match(first, new RegExp(`^The push refers to repository \\[${registry.address}/team/made\\]\n`));
  assert.equal([...first.matchAll(/^[0-9a-f]{12}: Preparing$/gm)].length, 2);
  assert.equal([...first.matchAll(/^[0-9a-f]{12}: Pushed$/gm)].length, 2);
  const digest = await digestOf(name);
  assert.match(first, new RegExp(`\n1: digest: ${digest} size: \\d+$`));
  const second = await said(daemon, "push", name);
  assert.equal([...second.matchAll(/^[0-9a-f]{12}: Layer already exists$/gm)].length, 2);
  assert.doesNotMatch(second, /Pushed/);
  assert.equal(await said(daemon, "push", "-q", name), name);
  const repoDigests = ["image", "inspect", "-f", '{{join .RepoDigests " "}}', name];
  assert.equal(await said(daemon, ...repoDigests), `${registry.address}/team/made@${digest}`);
  await using other = await startDaemon();
  await said(other, "pull", name);
  const id = ["image", "inspect", "-f", "{{.Id}}", name];
  assert.equal(await said(other, ...id), await said(daemon, ...id));
  const archive = join(folder, "copied.tar");
  await mustRun("skopeo", [
    "copy",
    "-q",
    "--src-tls-verify=false",
    `docker://${name}`,
    `docker-archive:${archive}:copied:1`,
  ]);
  await said(other, "rmi", name);
  await said(other, "load", "-i", archive);
  assert.equal(
    await said(other, "image", "inspect", "-f", "{{.RootFS.Layers}}", "copied:1"),
    await said(daemon, "image", "inspect", "-f", "{{.RootFS.Layers}}", name),
  );
});

test("docker push: from one repository to another of the registry, layers are mounted; -a pushes every tag", async () => {
  const name = `${registry.address}/team/source:1`;
  await makeImage(name, 200_000);
  await said(daemon, "push", name);
  const target = `${registry.address}/team/target`;
  for (const tag of ["1", "2"]) await said(daemon, "tag", name, `${target}:${tag}`);
  const text = await said(daemon, "push", "-a", target);
  assert.match(text, /^[0-9a-f]{12}: Mounted from team\/(?:source|made)$/m);
  assert.match(text, /^1: digest: sha256:\w+ size: \d+$/m);
  assert.match(text, /^2: digest: sha256:\w+ size: \d+$/m);
  assert.equal(await digestOf(`${target}:2`), await digestOf(name));
});

test("slipway push: the same lines; -q gives the name; a refusal is 1", async () => {
  const name = `${registry.address}/team/ours:1`;
  await said(daemon, "tag", "busybox", name);
  const plain = await daemon.slipway("image", "push", name);
  assert.equal(plain.code, 0, plain.stderr);
  assert.match(plain.stdout, new RegExp(`\n1: digest: ${await digestOf(name)} size: \\d+\n$`));
  assert.equal((await daemon.slipway("push", "-q", name)).stdout, `${name}\n`);
  const missing = await daemon.slipway("push", `${registry.address}/team/ours:2`);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /tag does not exist: .*\/team\/ours:2/);
});

test("docker push: what cannot be is said in Docker's words", async () => {
  await said(daemon, "tag", "busybox", "127.0.0.1:1/app:1");
  await refused(daemon, "An image does not exist locally with the tag: 127.0.0.1:1/none", "push", "127.0.0.1:1/none");
  await refused(daemon, "tag does not exist: 127.0.0.1:1/app:2", "push", "127.0.0.1:1/app:2");
  await refused(daemon, /127\.0\.0\.1:1\b.*connection refused/, "push", "127.0.0.1:1/app:1");
  await refused(daemon, "tag can't be used with --all-tags/-a", "push", "-a", "127.0.0.1:1/app:1");
});

test("docker push: a registry with users takes it from those of config.json, and from nobody else", async () => {
  await using guarded = await startRegistry({ users: { ann: "right horse" } });
  const name = `${guarded.address}/team/app:1`;
  await said(daemon, "tag", "busybox", name);
  const config = join(folder, "ann");
  await mkdir(config);
  const pushAs = async (user?: string) => {
    const auths = user === undefined ? {} : { [guarded.address]: { auth: Buffer.from(user).toString("base64") } };
    await writeFile(join(config, "config.json"), JSON.stringify({ auths }));
    return await daemon.dockerWith({ env: { DOCKER_CONFIG: config } }, "push", name);
  };
  for (const user of [undefined, "ann:wrong"]) {
    const { code, stderr } = await pushAs(user);
    assert.equal(code, 1);
    assert.match(stderr, /unauthorized: authentication required/);
  }
  const { code, stderr } = await pushAs("ann:right horse");
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(await daemon.log(), /right horse/);
});

test("docker push: a line that breaks in the middle of a layer", async () => {
  await using line = await breakingLine(Number(registry.address.split(":")[1]), 1_500_000);
  const name = `127.0.0.1:${line.port}/team/broken:1`;
  await makeImage(name, 6 << 20);
  const text = await said(daemon, "push", name);
  assert.match(text, /^1: digest: sha256:\w+ size: \d+$/m);
  assert.equal(line.breaks, 1);
  await said(daemon, "rmi", name);
  await said(daemon, "pull", name);
});

test("docker push: kill -9 of the daemon in the middle leaves nothing; the next push goes on with what is missing", async () => {
  await using throttled = await startFaultyRegistry();
  const name = `${throttled.address}/team/big:1`;
  await makeImage(name, 8 << 20);
  const { promise: stalled, resolve: stall } = Promise.withResolvers<void>();
  throttled.trick = (request) => {
    if (request.method !== "PATCH" || Number(request.headers["content-length"]) < 8 << 20) return false;
    stall(); // and reads no more
    return true;
  };
  const pushing = daemon.docker("push", name);
  await stalled;
  await sleep(200);
  await daemon.kill9();
  assert.notEqual((await pushing).code, 0);
  throttled.trick = () => false;
  await daemon.start();
  const content = join(daemon.roots.dataRoot, "content");
  const blobs = (await readdir(join(content, "blobs/sha256"))).length;
  assert.equal(throttled.manifestOf("1"), undefined);
  throttled.requests.length = 0;
  const text = await said(daemon, "push", name);
  assert.match(text, /^[0-9a-f]{12}: Layer already exists$/m, "the small layer had come");
  assert.match(text, /^[0-9a-f]{12}: Pushed$/m);
  assert.ok(throttled.manifestOf("1") !== undefined);
  assert.deepEqual(await readdir(join(content, "ingest")), []);
  assert.equal((await readdir(join(content, "blobs/sha256"))).length, blobs + 1, "the manifest that was pushed");
  await said(daemon, "rmi", name);
});

test("docker push: the end of the client ends the upload", async () => {
  await using throttled = await startFaultyRegistry();
  const name = `${throttled.address}/team/left:1`;
  await makeImage(name, 8 << 20);
  const { promise: stalled, resolve: stall } = Promise.withResolvers<void>();
  throttled.trick = (request) => request.method === "PATCH" && (stall(), true);
  const docker = new Docker({ socketPath: daemon.socket });
  const abort = new AbortController();
  const stream = await docker.getImage(name).push({ abortSignal: abort.signal });
  stream.on("error", () => undefined).resume();
  await stalled;
  abort.abort();
  for (let tries = 0; throttled.uploads.size > 0; tries++) {
    assert.ok(tries < 200, "the upload stays open");
    await sleep(50);
  }
  assert.ok(throttled.requests.some(({ line }) => line.startsWith("DELETE ")));
});

test("dockerode and docker-py push: lines, and the result as aux", async () => {
  const repository = `${registry.address}/team/clients`;
  await said(daemon, "tag", "busybox", `${repository}:js`);
  await said(daemon, "tag", "busybox", `${repository}:py`);
  const docker = new Docker({ socketPath: daemon.socket });
  const stream = await docker.getImage(`${repository}:js`).push({});
  const { promise: lines, resolve, reject } = Promise.withResolvers<{ aux?: { Tag: string; Digest: string } }[]>();
  docker.modem.followProgress(stream, (error, output) => (error ? reject(error) : resolve(output)));
  const aux = (await lines).find((line) => line.aux !== undefined)?.aux;
  assert.equal(aux?.Tag, "js");
  assert.equal(aux?.Digest, await digestOf(`${repository}:js`));
  const script = `
import docker, sys
client = docker.from_env()
lines = list(client.images.push("${repository}", tag="py", stream=True, decode=True))
print([line["aux"]["Digest"] for line in lines if "aux" in line][0])
print([line["error"] for line in client.images.push("${repository}", tag="none", stream=True, decode=True) if "error" in line][0])
`;
  const env = { DOCKER_HOST: `unix://${daemon.socket}` };
  const ran = await runProgram("/usr/bin/python3", ["-W", "ignore", "-c", script], { env, timeoutMs: 60_000 });
  assert.equal(ran.code, 0, ran.stderr);
  assert.equal(ran.stdout, `${await digestOf(`${repository}:py`)}\ntag does not exist: ${repository}:none\n`);
});

/** A way to a port that breaks once, after so many bytes of one connection. */
async function breakingLine(to: number, afterBytes: number) {
  const sockets = new Set<Socket>();
  const state = { breaks: 0 };
  const server = createServer((client) => {
    const upstream = connect(to, "127.0.0.1");
    let sizeBytes = 0;
    client.on("data", (piece: Buffer) => {
      sizeBytes += piece.length;
      if (sizeBytes < afterBytes || state.breaks > 0) return;
      state.breaks += 1;
      client.destroy();
      upstream.destroy();
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    }
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    get breaks() {
      return state.breaks;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}
