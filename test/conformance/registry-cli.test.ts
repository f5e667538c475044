import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { startFaultyRegistry } from "#fixtures/faulty-registry";
import { busyboxArchive, makeTestImage } from "#fixtures/images";
import { mustRun, type Outcome } from "#fixtures/program";
import { startRegistry, type TestRegistry } from "#fixtures/registry";

let daemon: TestDaemon;
let registry: TestRegistry;
let folder: string;

before(async () => {
  [daemon, registry, folder] = await Promise.all([
    startDaemon(),
    startRegistry(),
    mkdtemp(join(tmpdir(), "slipway-pull-")),
  ]);
  await registry.push(await busyboxArchive("oci-gzip"), "team/box:1");
  const two = join(folder, "two.tar");
  await makeTestImage(two, { files: { "etc/mark": "two" }, names: ["docker.io/library/x:2"], form: "docker" });
  await registry.push(two, "team/box:2");
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function digestOf(name: string): Promise<string> {
  return (
    await mustRun("skopeo", ["inspect", "--tls-verify=false", "--format", "{{.Digest}}", `docker://${name}`])
  ).trim();
}

test("docker pull: by tag, with digest and status; the second time it is up to date; it runs", async () => {
  const name = `${registry.address}/team/box:1`;
  const digest = await digestOf(name);
  const text = await said(daemon, "pull", name);
  assert.match(text, /^1: Pulling from team\/box\n/);
  assert.match(text, /^[0-9a-f]{12}: Pull complete$/m);
  assert.match(text, new RegExp(`\nDigest: ${digest}\nStatus: Downloaded newer image for ${name}\n${name}$`));
  assert.match(await said(daemon, "pull", name), new RegExp(`\nStatus: Image is up to date for ${name}\n`));
  assert.equal(await said(daemon, "pull", "-q", name), name);
  const repository = `${registry.address}/team/box`;
  assert.equal(
    await said(daemon, "image", "inspect", "-f", '{{join .RepoDigests " "}}', name),
    `${repository}@${digest}`,
  );
  assert.equal(await said(daemon, "run", "--rm", name, "echo", "pulled"), "pulled");
});

test("docker pull: by digest alone; every tag with -a", async () => {
  const repository = `${registry.address}/team/box`;
  const digest = await digestOf(`${repository}:2`);
  assert.match(await said(daemon, "pull", `${repository}@${digest}`), new RegExp(`Digest: ${digest}\n`));
  assert.equal(await said(daemon, "run", "--rm", `${repository}@${digest}`, "cat", "/etc/mark"), "two");
  await said(daemon, "rmi", "-f", `${repository}@${digest}`);
  await said(daemon, "pull", "-a", repository);
  const tags = await said(daemon, "images", "--format", "{{.Tag}}", repository);
  assert.deepEqual(tags.split("\n").toSorted(), ["1", "2"]);
});

test("docker run: pulls an image that is not there, says so on standard error, and runs it", async () => {
  const name = `${registry.address}/team/fresh:1`;
  await registry.push(await busyboxArchive("oci"), "team/fresh:1");
  const { code, stdout, stderr } = await daemon.docker("run", "--rm", name, "echo", "ran");
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "ran\n" });
  assert.match(stderr, new RegExp(`^Unable to find image '${name}' locally\n1: Pulling from team/fresh\n`));
  await refused(daemon, "No such image", "run", "--rm", "--pull", "never", `${registry.address}/team/never`, "true");
});

test("docker pull: what is not there is named: tag, repository, platform, registry", async () => {
  const { address } = registry;
  await refused(
    daemon,
    `manifest for ${address}/team/box:9 not found: manifest unknown`,
    "pull",
    `${address}/team/box:9`,
  );
  await refused(daemon, /not found|does not exist/, "pull", `${address}/nobody/nothing`);
  const other = process.arch === "arm64" ? "linux/amd64" : "linux/arm64";
  const warned = await said(daemon, "pull", "--platform", other, `${address}/team/box:2`);
  assert.match(warned, new RegExp(`was found but does not match the specified platform: wanted ${other}`));
  await refused(daemon, /127\.0\.0\.1:1\b.*connection refused/, "pull", "127.0.0.1:1/team/box");
  const bad = `sha256:${"0".repeat(64)}`;
  await refused(daemon, /not found/, "pull", `${address}/team/box@${bad}`);
});

test("docker pull: an index without this platform is refused, and leaves nothing", async () => {
  await using odd = await startFaultyRegistry();
  const type = "application/vnd.oci.image.manifest.v1+json";
  const digest = `sha256:${"1".repeat(64)}`;
  const manifests = [{ mediaType: type, digest, size: 9, platform: { os: "linux", architecture: "s390x" } }];
  const indexType = "application/vnd.oci.image.index.v1+json";
  odd.manifest({ schemaVersion: 2, mediaType: indexType, manifests }, indexType, "1");
  const name = `${odd.address}/team/odd:1`;
  await refused(daemon, /no matching manifest for linux\/\w+(\/v8)? in the manifest list entries/, "pull", name);
  await refused(daemon, "no matching manifest for linux/386 in", "pull", "--platform", "linux/386", name);
  await refused(daemon, "no matching manifest", "run", "--rm", name, "true");
  assert.equal(await said(daemon, "ps", "-aq"), "");
});

test("docker pull: a registry with users opens to those of config.json, and to nobody else", async () => {
  await using closed = await startRegistry({ users: { ann: "right horse" } });
  await closed.push(await busyboxArchive("oci-gzip"), "private/box:1", { name: "ann", password: "right horse" });
  const name = `${closed.address}/private/box:1`;
  const pullAs = async (user?: string): Promise<Outcome> => {
    const config = join(folder, `config-${user === undefined ? "none" : createHash("md5").update(user).digest("hex")}`);
    await mkdir(config, { recursive: true });
    const auths = user === undefined ? {} : { [closed.address]: { auth: Buffer.from(user).toString("base64") } };
    await writeFile(join(config, "config.json"), JSON.stringify({ auths }));
    return await daemon.dockerWith({ env: { DOCKER_CONFIG: config } }, "pull", name);
  };
  for (const user of [undefined, "ann:wrong", "bob:right horse"]) {
    const { code, stderr } = await pullAs(user);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /no basic auth credentials|unauthorized|denied/);
    assert.doesNotMatch(stderr, /right horse|wrong/, "no password is shown");
  }
  assert.doesNotMatch(await said(daemon, "images"), /private/);
  const { code, stdout, stderr } = await pullAs("ann:right horse");
  assert.equal(code, 0, stderr);
  assert.match(stdout, /Status: Downloaded newer image/);
  assert.doesNotMatch(await daemon.log(), /right horse/);
});

test("docker pull: kill -9 of the daemon in the middle of a layer; the next pull goes on where it was", async () => {
  await using throttled = await startFaultyRegistry();
  const layer = await randomLayer(24 * 1024 * 1024);
  const digest = throttled.blob(layer);
  const config = JSON.stringify({
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: { Cmd: ["/nothing"] },
    rootfs: { type: "layers", diff_ids: [digest] },
  });
  throttled.manifest(
    {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: {
        mediaType: "application/vnd.oci.image.config.v1+json",
        digest: throttled.blob(config),
        size: config.length,
      },
      layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size: layer.length }],
    },
    "application/vnd.oci.image.manifest.v1+json",
    "big",
  );
  const half = layer.length / 2;
  const { promise: stalled, resolve: stall } = Promise.withResolvers<void>();
  let isFirst = true;
  throttled.trick = (request, response) => {
    if (request.url?.includes(digest) !== true || request.method !== "GET" || !isFirst) return false;
    isFirst = false;
    response.writeHead(200, { "content-length": layer.length });
    response.write(layer.subarray(0, half), () => stall()); // and no more
    return true;
  };
  const name = `${throttled.address}/team/big:big`;
  const pulling = daemon.docker("pull", name);
  await stalled;
  await sleep(300);
  await daemon.kill9();
  assert.notEqual((await pulling).code, 0);
  await daemon.start();
  assert.doesNotMatch(await said(daemon, "images"), /team\/big/);
  throttled.requests.length = 0;
  await said(daemon, "pull", name);
  const asked = throttled.requests.filter(({ line }) => line.includes(digest) && line.startsWith("GET"));
  assert.equal(asked.length, 1);
  const from = Number(/^bytes=(\d+)-/.exec(asked[0]?.headers.range ?? "")?.[1] ?? 0);
  assert.ok(from > half * 0.5, `${half} bytes were there, it went on from ${from}`);
  assert.equal(await said(daemon, "image", "inspect", "-f", "{{index .RootFS.Layers 0}}", name), digest);
  await said(daemon, "rmi", name);
});

/** A tar of one file of noise. */
async function randomLayer(sizeBytes: number): Promise<Buffer> {
  const path = join(folder, "noise");
  await mustRun("sh", [
    "-c",
    `head -c ${sizeBytes} /dev/urandom > "$1" && tar -C "$2" -cf "$1.tar" noise`,
    "sh",
    path,
    folder,
  ]);
  return await readFile(`${path}.tar`);
}
