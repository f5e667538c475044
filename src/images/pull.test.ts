import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { systemClock } from "#core/clock";
import { type Digest, digestOf } from "#core/digest";
import type { Event } from "#core/event";
import { Fault, type FaultKind } from "#core/fault";
import { type ImageConfig, mediaType, type Platform } from "#core/oci";
import { canonical, parseReference, type Reference } from "#core/reference";
import { fail, type FaultyRegistry, startFaultyRegistry } from "#fixtures/faulty-registry";
import { busyboxArchive, makeTestImage } from "#fixtures/images";
import { startRegistry } from "#fixtures/registry";
import type { Adoption } from "./adopt.ts";
import type { ImageRecord } from "./catalog.ts";
import { chainIdOf } from "./chain-id.ts";
import { openContentStore } from "./content-store.ts";
import type { ContentStore } from "./content.ts";
import type { Progress, PullRequest } from "./images.ts";
import { createPuller, type Puller } from "./pull.ts";
import { openRegistryClient } from "./registry/client.ts";
import { parseConfig, parseDocument } from "./registry/document.ts";

const never = new AbortController().signal;
const amd64: Platform = { os: "linux", architecture: "amd64" };

test("pull: Docker's lines in Docker's order, by tag", async (context) => {
  const { registry, pull, store } = await setUp(context);
  const image = putImage(registry, { tag: "1", layers: [randomBytes(3000), randomBytes(2000)] });
  const lines = await pull("app:1");
  const [a, b] = image.layers.map((digest) => digest.slice(7, 19));
  assert.deepEqual(lines.slice(0, 3), ["1: Pulling from team/app", `${a}: Pulling fs layer`, `${b}: Pulling fs layer`]);
  for (const id of [a, b]) {
    const own = lines.filter((line) => line.startsWith(`${id}: `)).map((line) => line.slice(14));
    assert.deepEqual(own, [
      "Pulling fs layer",
      "Downloading",
      "Verifying Checksum",
      "Download complete",
      "Extracting",
      "Pull complete",
    ]);
  }
  assert.ok(lines.indexOf(`${a}: Pull complete`) < lines.indexOf(`${b}: Pull complete`));
  const name = `${registry.address}/team/app:1`;
  assert.deepEqual(lines.slice(-2), [`Digest: ${image.manifest}`, `Status: Downloaded newer image for ${name}`]);
  assert.deepEqual(store.adopted[0]?.tags?.map(canonical), [name]);
  assert.equal(store.adopted[0]?.repoDigests?.[0]?.digest, image.manifest);
  assert.equal(store.events[0]?.actorId, name);
});

test("pull: an image that is here is up to date, without fetching anything", async (context) => {
  const { registry, pull } = await setUp(context);
  const { manifest } = putImage(registry, { tag: "1" });
  await pull("app:1");
  registry.requests.length = 0;
  const name = `${registry.address}/team/app:1`;
  assert.deepEqual(await pull("app:1"), [
    "1: Pulling from team/app",
    `Digest: ${manifest}`,
    `Status: Image is up to date for ${name}`,
  ]);
  assert.deepEqual(
    registry.requests.map(({ line }) => line),
    ["HEAD /v2/team/app/manifests/1"],
  );
  await pull(`app@${manifest}`);
  registry.requests.length = 0;
  await pull(`app@${manifest}`);
  assert.equal(registry.requests.length, 0, "what a digest names cannot change");
});

test("pull: layers that another image brought are there already", async (context) => {
  const { registry, pull } = await setUp(context);
  const base = randomBytes(1000);
  const first = putImage(registry, { tag: "1", layers: [base] });
  putImage(registry, { tag: "2", layers: [base, randomBytes(1000)] });
  await pull("app:1");
  const lines = await pull("app:2");
  assert.ok(lines.includes(`${first.layers[0]?.slice(7, 19)}: Already exists`));
});

test("pull: an index leads to the platform, past attestations and through further indexes", async (context) => {
  const { registry, pull, store } = await setUp(context);
  const image = putImage(registry, {});
  const other = putImage(registry, { config: { architecture: "arm64" } });
  const described = (digest: Digest, size: number) => ({ mediaType: mediaType.ociManifest, digest, size });
  const attestation = {
    ...described(other.manifest, other.size),
    platform: { os: "unknown", architecture: "unknown" },
  };
  const arm = {
    ...described(other.manifest, other.size),
    platform: { os: "linux", architecture: "arm64", variant: "v8" },
  };
  const inner = registry.manifest(
    indexOf([{ ...described(image.manifest, image.size), platform: amd64 }]),
    mediaType.ociIndex,
  );
  const { digest } = registry.manifest(indexOf([attestation, arm, inner]), mediaType.ociIndex, "multi");
  const lines = await pull("app:multi", { platform: amd64 });
  assert.ok(lines.includes(`Digest: ${digest}`), "the digest of what the tag names");
  assert.deepEqual(new Set(store.adopted[0]?.alsoKeep), new Set([digest, inner.digest, image.manifest]));
  assert.equal(store.adopted[0]?.manifest, image.manifest);
  await pull("app:multi", { platform: { os: "linux", architecture: "aarch64" } });
  assert.equal(store.adopted[1]?.manifest, other.manifest);
  const fault = await refuses(pull("app:multi", { platform: { os: "linux", architecture: "s390x" } }), "notFound");
  assert.equal(fault.message, "no matching manifest for linux/s390x in the manifest list entries");
  assert.match(fault.remedy ?? "", /linux\/arm64\/v8/);
});

test("pull: indexes nested without end are refused", async (context) => {
  const { registry, pull } = await setUp(context);
  let entry: { mediaType: string; digest: string; size: number } = {
    mediaType: mediaType.ociIndex,
    digest: digestOf(""),
    size: 0,
  };
  for (let depth = 0; depth < 30; depth++) entry = registry.manifest(indexOf([entry]), mediaType.ociIndex, "deep");
  await refuses(pull("app:deep"), "invalid", /nested without end/);
});

test("pull: a platform that was asked for and is not the image's is told", async (context) => {
  const { registry, pull } = await setUp(context);
  putImage(registry, { tag: "1", config: { architecture: "amd64" } });
  const lines = await pull("app:1", { platform: { os: "linux", architecture: "arm64" } });
  assert.ok(
    lines.some((line) => /^WARNING: image with reference .* wanted linux\/arm64\/v8, actual: linux\/amd64$/.test(line)),
  );
});

test("pull: what is no Linux image is refused before its layers are fetched", async (context) => {
  const { registry, pull } = await setUp(context);
  putImage(registry, { tag: "windows", config: { os: "windows" } });
  await refuses(pull("app:windows"), "unsupported", /operating system "windows" cannot be used/);
  putImage(registry, { tag: "foreign", layerType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" });
  await refuses(pull("app:foreign"), "unsupported", /foreign layers/);
  assert.equal(registry.requests.filter(({ line }) => line.includes("/blobs/")).length, 1);
});

test("pull: unknown tags, unknown repositories and closed doors, in Docker's words", async (context) => {
  const { registry, pull } = await setUp(context);
  const name = `${registry.address}/team/app`;
  await refuses(
    pull("app:none"),
    "notFound",
    `manifest for ${name}:none not found: manifest unknown: manifest unknown`,
  );
  registry.trick = (_request, response) => (
    fail(response, 404, "NAME_UNKNOWN", "repository name not known to registry"),
    true
  );
  await refuses(
    pull("app:1"),
    "notFound",
    `repository ${name} not found: name unknown: repository name not known to registry`,
  );
  registry.trick = (_request, response) => (
    fail(response, 403, "DENIED", "requested access to the resource is denied"),
    true
  );
  const denied = `pull access denied for ${name}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`;
  await refuses(pull("app:1"), "notFound", denied);
  registry.trick = (_request, response) => (fail(response, 429, "TOOMANYREQUESTS", "slow down"), true);
  await refuses(pull("app:1"), "unavailable", "toomanyrequests: slow down");
});

test("pull: all tags", async (context) => {
  const { registry, pull, store } = await setUp(context);
  for (const tag of ["1", "2", "3"]) putImage(registry, { tag });
  const lines = await pull("app", { allTags: true });
  assert.equal(lines.filter((line) => line.includes("Pulling from")).length, 3);
  assert.equal(lines.filter((line) => line.startsWith("Digest: ")).length, 3);
  assert.equal(lines.at(-1), `Status: Downloaded newer image for ${registry.address}/team/app`);
  assert.equal(store.adopted.length, 3);
});

test("pull: no more than three layers come at once", async (context) => {
  const { registry, pull } = await setUp(context);
  const layers = Array.from({ length: 8 }, () => randomBytes(5000));
  putImage(registry, { tag: "1", layers });
  let [now, most] = [0, 0];
  registry.trick = (request, response) => {
    const bytes = layers.find((layer) => request.url?.includes(digestOf(layer)));
    if (bytes === undefined) return false;
    most = Math.max(most, ++now);
    setTimeout(() => (now--, response.end(bytes)), 20);
    return true;
  };
  const lines = await pull("app:1");
  assert.equal(most, 3);
  assert.ok(lines.some((line) => line.endsWith(": Waiting")));
});

test("pull: the same image twice at once is downloaded once, and one leaving does not end the other", async (context) => {
  const { registry, puller, request } = await setUp(context);
  const layer = randomBytes(300_000);
  putImage(registry, { tag: "1", layers: [layer] });
  const gate = Promise.withResolvers<void>();
  let layerRequests = 0;
  registry.trick = (asked, response) => {
    if (!asked.url?.includes(digestOf(layer))) return false;
    layerRequests += 1;
    response.writeHead(200, { "content-length": layer.length }).write(layer.subarray(0, 100_000));
    void gate.promise.then(() => response.end(layer.subarray(100_000)));
    return true;
  };
  const [first, second] = [puller.pull(request("app:1"), never), puller.pull(request("app:1"), never)].map((each) =>
    each[Symbol.asyncIterator](),
  );
  assert.ok(first !== undefined && second !== undefined);
  await until(first, "Downloading");
  await until(second, "Downloading");
  await first.return?.();
  gate.resolve();
  const rest = await until(second, "Status:");
  assert.ok(rest.some((status) => status.startsWith("Pull complete")));
  assert.equal(layerRequests, 1);
});

test("pull: leaving the only pull ends its download", async (context) => {
  const { registry, puller, request } = await setUp(context);
  const layer = randomBytes(300_000);
  putImage(registry, { tag: "1", layers: [layer] });
  const closed = Promise.withResolvers<void>();
  registry.trick = (asked, response) => {
    if (!asked.url?.includes(digestOf(layer))) return false;
    response.on("close", closed.resolve);
    return response.writeHead(200).write(layer.subarray(0, 100_000)) || true;
  };
  const reading = puller.pull(request("app:1"), never)[Symbol.asyncIterator]();
  await until(reading, "Downloading");
  await reading.return?.();
  await closed.promise;
  assert.ok(registry.requests.length > 0);
});

test("pull: one layer's failure ends the others, and is the one that is told", async (context) => {
  const { registry, pull, store } = await setUp(context);
  const [good, bad] = [randomBytes(200_000), randomBytes(1000)];
  putImage(registry, { tag: "1", layers: [good, bad] });
  registry.trick = (asked, response) => {
    if (asked.url?.includes(digestOf(good))) return response.writeHead(200).write(good.subarray(0, 100_000)) || true;
    return asked.url?.includes(digestOf(bad)) ? Boolean(response.end(randomBytes(1000))) : false;
  };
  await refuses(pull("app:1"), "internal", /verification failed/);
  assert.equal(store.adopted.length, 0);
  assert.equal(store.openLeases, 0);
});

test("pull: from Debian's docker-registry, with a schema 2 image and with a closed door", async (context) => {
  await using registry = await startRegistry({ users: { alice: "secret" } });
  const archive = join(await folderOf(context), "image.tar");
  await makeTestImage(archive, { files: { "etc/motd": "hello" }, names: ["docker.io/library/test:1"] });
  const alice = { name: "alice", password: "secret" };
  await registry.push(archive, "team/test:1", alice);
  await registry.push(await busyboxArchive("oci-gzip"), "busybox:latest", alice);
  const { puller } = await setUp(context);
  const request = (name: string, password?: string): PullRequest => ({
    reference: parseReference(`${registry.address}/${name}`),
    ...(password !== undefined && { auth: { username: "alice", password } }),
  });
  for (const name of ["team/test:1", "busybox"]) {
    const lines = await linesOf(puller, request(name, "secret"));
    assert.match(lines.at(-1) ?? "", /^Status: Downloaded newer image for 127\.0\.0\.1:\d+\//);
  }
  await refuses(
    linesOf(puller, request("busybox")),
    "notFound",
    /^pull access denied for 127.*may require 'docker login'/,
  );
  await refuses(linesOf(puller, request("busybox", "wrong")), "forbidden", /authentication required/);
  await refuses(
    linesOf(puller, request("busybox:none", "secret")),
    "notFound",
    /^manifest for .*:none not found: manifest unknown/,
  );
});

interface FakeStore {
  readonly adopted: Adoption[];
  readonly events: Omit<Event, "timeNs">[];
  openLeases: number;
}

async function setUp(context: TestContext): Promise<{
  registry: FaultyRegistry;
  puller: Puller;
  store: FakeStore;
  request: (name: string, more?: Partial<PullRequest>) => PullRequest;
  pull: (name: string, more?: Partial<PullRequest>) => Promise<string[]>;
}> {
  const registry = await startFaultyRegistry();
  context.after(() => registry[Symbol.asyncDispose]());
  const client = openRegistryClient({
    clock: systemClock,
    insecureRegistries: [],
    registryMirrors: [],
    environment: {},
    retryDelayMs: 5,
  });
  context.after(() => client[Symbol.dispose]());
  const content = openContentStore(await folderOf(context));
  const store: FakeStore = { adopted: [], events: [], openLeases: 0 };
  const options = {
    registry: client,
    content,
    ...fakeRecords(content, store),
    maxConcurrentDownloads: 3,
    retryDelayMs: 5,
  };
  const puller = createPuller(options);
  const request = (name: string, more: Partial<PullRequest> = {}): PullRequest => {
    return { reference: parseReference(`${registry.address}/team/${name}`), platform: amd64, ...more };
  };
  return { registry, puller, store, request, pull: (name, more) => linesOf(puller, request(name, more)) };
}

/** The image room's records at their doors, in memory. */
function fakeRecords(content: ContentStore, store: FakeStore) {
  const [names, images, chains] = [new Map<string, Digest>(), new Map<Digest, ImageRecord>(), new Set<Digest>()];
  const nameOf = ({ tag, digest, ...repository }: Reference) =>
    canonical({ ...repository, ...(digest ? { digest } : { tag: tag ?? "latest" }) });
  return {
    catalog: {
      resolve: (name: Reference) => names.get(nameOf(name)),
      image: (id: Digest) => images.get(id),
      blobsOf: () => [],
    },
    leases: {
      open: () => {
        store.openLeases += 1;
        return { protect() {}, protectLayer() {}, [Symbol.asyncDispose]: async () => void (store.openLeases -= 1) };
      },
    },
    unpacker: {
      has: (chain: Digest) => chains.has(chain),
      async unpack(
        { blob, parent, diffId }: { blob: { size: number }; parent: Digest | undefined; diffId: Digest },
        ...rest: unknown[]
      ) {
        const onProgress = rest[2] as (done: number, total: number) => void;
        onProgress(blob.size, blob.size);
        chains.add(chainIdOf(parent, diffId));
        return chainIdOf(parent, diffId);
      },
    },
    async adopt(adoption: Adoption) {
      const document = parseDocument(await content.read(adoption.manifest), "");
      assert.ok(document.kind === "manifest");
      const { config, layers } = document.manifest;
      for (const { digest } of [config, ...layers]) assert.ok(content.has(digest));
      store.adopted.push(adoption);
      const parsed = parseConfig(await content.read(config.digest), document.manifest);
      images.set(config.digest, { id: config.digest, manifest: adoption.manifest, config: parsed } as ImageRecord);
      for (const tag of adoption.tags ?? []) names.set(nameOf(tag), config.digest);
      for (const { repository, digest } of adoption.repoDigests ?? [])
        names.set(nameOf({ ...repository, digest }), config.digest);
      return config.digest;
    },
    events: { emit: (event: Omit<Event, "timeNs">) => void store.events.push(event) },
  };
}

function putImage(
  registry: FaultyRegistry,
  recipe: { tag?: string; layers?: Buffer[]; layerType?: string; config?: Partial<ImageConfig> },
): { manifest: Digest; size: number; layers: Digest[] } {
  const layers = recipe.layers ?? [randomBytes(1000)];
  const rootfs = { type: "layers", diff_ids: layers.map((bytes) => digestOf(bytes)) };
  const config = JSON.stringify({ os: "linux", architecture: "amd64", rootfs, ...recipe.config });
  const document = {
    schemaVersion: 2,
    mediaType: mediaType.ociManifest,
    config: { mediaType: mediaType.ociConfig, digest: registry.blob(config), size: config.length },
    layers: layers.map((bytes) => {
      return { mediaType: recipe.layerType ?? mediaType.ociLayer, digest: registry.blob(bytes), size: bytes.length };
    }),
  };
  const { digest, size } = registry.manifest(document, mediaType.ociManifest, recipe.tag);
  return { manifest: digest as Digest, size, layers: document.layers.map((layer) => layer.digest as Digest) };
}

function indexOf(manifests: readonly object[]): object {
  return { schemaVersion: 2, mediaType: mediaType.ociIndex, manifests };
}

async function linesOf(puller: Puller, request: PullRequest): Promise<string[]> {
  const lines: string[] = [];
  for await (const { id, status } of puller.pull(request, never)) {
    const line = id === undefined ? (status ?? "") : `${id}: ${status}`;
    if (lines.at(-1) !== line) lines.push(line);
  }
  return lines.filter((line, index) => lines.indexOf(line) === index);
}

async function until(reading: AsyncIterator<Progress>, start: string): Promise<string[]> {
  const seen: string[] = [];
  for (;;) {
    const next = await reading.next();
    assert.ok(next.done !== true, `ended before ${start}`);
    seen.push(next.value.status ?? "");
    if (next.value.status?.startsWith(start)) return seen;
  }
}

async function refuses(work: Promise<unknown>, kind: FaultKind, text: RegExp | string = ""): Promise<Fault> {
  const error: unknown = await work.then(
    () => new Error("nothing was refused"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof Fault, String(error));
  if (typeof text !== "string") assert.match(error.message, text);
  else if (text !== "") assert.equal(error.message, text);
  assert.equal(error.kind, kind);
  return error;
}

async function folderOf(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-pull-"));
  context.after(() => rm(folder, { recursive: true }));
  return folder;
}
