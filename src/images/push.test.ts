import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test, type TestContext } from "node:test";
import { digestOf } from "#core/digest";
import { isFault } from "#core/fault";
import { mediaType, nativePlatform, type Platform } from "#core/oci";
import { parseReference } from "#core/reference";
import { type FaultyRegistry, startFaultyRegistry } from "#fixtures/faulty-registry";
import { dockerArchive, loadBytes, openTestRoom, tarOf, type TestRoom } from "./images.fixture.ts";
import type { Progress, PushRequest } from "./images.ts";

const never = new AbortController().signal;
const other: Platform = { os: "linux", architecture: "s390x" };

test("push: an index that is here with all that it names goes whole, its manifests before it", async (context) => {
  const { room, source, target } = await setUp(context);
  const image = await putImage(source);
  const index = source.manifest(indexOf([image]), mediaType.ociIndex, "1");
  await pull(room, `${source.address}/app:1`);
  await room.images.tag(`${source.address}/app:1`, parseReference(`${target.address}/copy:2`));
  const lines = await push(room, `${target.address}/copy:2`);
  assert.equal(lines.at(-2), `2: digest: ${index.digest} size: ${index.size}`);
  assert.deepEqual(target.manifestOf("2")?.bytes, source.manifestOf("1")?.bytes);
  assert.equal(target.manifestOf("2")?.type, mediaType.ociIndex);
  const puts = target.requests.map(({ line }) => line).filter((line) => /^PUT .*manifests/.test(line));
  assert.deepEqual(puts, [`PUT /v2/copy/manifests/${image.digest}`, "PUT /v2/copy/manifests/2"]);
  const { repoDigests } = room.images.find(`${target.address}/copy:2`);
  assert.ok(repoDigests.includes(`${target.address}/copy@${index.digest}`));
  await push(room, `${target.address}/copy:2`, { platform: nativePlatform() });
  assert.deepEqual(target.manifestOf("2")?.bytes, source.manifestOf(image.digest)?.bytes, "of one platform alone");
});

test("push: of an index that is not all here, the image's manifest, byte for byte", async (context) => {
  const { room, source, target } = await setUp(context);
  const [image, foreign] = [await putImage(source), await putImage(source, other)];
  const index = source.manifest(indexOf([foreign, image]), mediaType.ociIndex, "1");
  const name = `${target.address}/copy:2`;
  await pull(room, `${source.address}/app:1`);
  await room.images.tag(`${source.address}/app:1`, parseReference(name));
  assert.match((await push(room, name)).at(-2) ?? "", new RegExp(`digest: ${image.digest} `));
  const mismatch = /was found but does not match the specified platform: wanted linux\/s390x, actual: linux\/\w+$/;
  await assert.rejects(push(room, name, { platform: other }), mismatch);
  await push(room, `${target.address}/copy@${image.digest}`);
  const puts = target.requests.map(({ line }) => line).filter((line) => /^PUT .*manifests/.test(line));
  assert.equal(puts.at(-1), `PUT /v2/copy/manifests/${image.digest}`, "by its digest, without a tag");
  await assert.rejects(push(room, `${source.address}/app@${index.digest}`), (error) => isFault(error, "notFound"));
});

test("push: a document of the store that is no image", async (context) => {
  const { room, target } = await setUp(context);
  const { layers } = room.images;
  await using lease = layers.lease();
  const config = await layers.putDocument(Buffer.from("{}"), "application/vnd.example.config+json", lease);
  const blob = await layers.putDocument(randomBytes(5000), mediaType.ociLayerGzip, lease);
  const manifest = { schemaVersion: 2, mediaType: mediaType.ociManifest, config, layers: [blob] };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const document = await layers.putDocument(bytes, mediaType.ociManifest, lease);
  const lines = await push(room, `${target.address}/cache:main`, { document: document.digest });
  assert.equal(lines.at(-1), `pushed main ${document.digest}`);
  assert.deepEqual(target.manifestOf("main")?.bytes, bytes);
  for (const { digest } of [config, blob]) assert.ok(target.blobs.has(digest));
  const missing = { document: digestOf("nothing") };
  await assert.rejects(push(room, `${target.address}/cache:main`, missing), /content digest sha256:\w+: not found/);
});

test("push: at most five uploads at once; a blob that two pushes want goes once", async (context) => {
  const { room, target } = await setUp(context);
  const layers = await Promise.all(
    Array.from({ length: 9 }, async (_, index) => await tarOf([{ path: `file${index}`, data: randomBytes(2000) }])),
  );
  const tags = ["1", "2"].map((tag) => `${target.address}/app:${tag}`);
  await loadBytes(room.images, await dockerArchive([{ tags, layers }]));
  let most = 0;
  const begun: string[] = [];
  target.trick = (request) => {
    most = Math.max(most, target.uploads.size);
    if (request.method === "PUT" && request.url?.includes("/uploads/") === true) begun.push(request.url);
    return false;
  };
  const [first, second] = await Promise.all(tags.map(async (tag) => await push(room, tag)));
  assert.equal(first?.at(-2)?.slice(2), second?.at(-2)?.slice(2));
  assert.equal(begun.length, layers.length + 1, "nine layers and the config");
  assert.ok(most > 1 && most <= 5, `${most} at once`);
  assert.ok(first?.some((line) => line.endsWith(": Waiting")));
});

test("push: a manifest that is refused is no success, and the image has no name there", async (context) => {
  const { room, target } = await setUp(context);
  const name = `${target.address}/app:1`;
  await loadBytes(room.images, await dockerArchive([{ tags: [name], layers: [await tarOf([{ path: "a/" }])] }]));
  target.trick = (request, response) => {
    if (request.method !== "PUT" || request.url?.includes("/manifests/") !== true) return false;
    response.writeHead(400).end('{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}');
    return true;
  };
  await assert.rejects(push(room, name), /^Fault: manifest blob unknown: blob unknown to registry$/);
  assert.deepEqual(room.images.find(name).repoDigests, []);
  assert.ok(!room.events.some(({ action }) => action === "push"));
});

async function setUp(context: TestContext) {
  const room = await openTestRoom();
  context.after(async () => await room[Symbol.asyncDispose]());
  const [source, target] = [await startFaultyRegistry(), await startFaultyRegistry()];
  for (const registry of [source, target]) context.after(async () => await registry[Symbol.asyncDispose]());
  return { room, source, target };
}

type Entry = ReturnType<FaultyRegistry["manifest"]> & { readonly platform: Platform };

/** Puts an image of one plain layer there, without a tag. */
async function putImage(registry: FaultyRegistry, platform = nativePlatform()): Promise<Entry> {
  const layer = await tarOf([{ path: "data", data: randomBytes(1000) }]);
  const rootfs = { type: "layers", diff_ids: [digestOf(layer)] };
  const config = JSON.stringify({ ...platform, rootfs });
  const document = {
    schemaVersion: 2,
    mediaType: mediaType.ociManifest,
    config: { mediaType: mediaType.ociConfig, digest: registry.blob(config), size: config.length },
    layers: [{ mediaType: mediaType.ociLayer, digest: registry.blob(layer), size: layer.length }],
  };
  return { ...registry.manifest(document, mediaType.ociManifest), platform };
}

function indexOf(manifests: readonly Entry[]): object {
  return { schemaVersion: 2, mediaType: mediaType.ociIndex, manifests };
}

async function push(room: TestRoom, name: string, options: Omit<PushRequest, "reference"> = {}): Promise<string[]> {
  return (await Array.fromAsync(room.images.push({ reference: parseReference(name), ...options }, never))).map(lineOf);
}

function lineOf({ id, status, pushed }: Progress): string {
  if (pushed !== undefined) return `pushed ${pushed.tag} ${pushed.digest}`;
  return id === undefined ? (status ?? "") : `${id}: ${status ?? ""}`;
}

async function pull(room: TestRoom, name: string): Promise<void> {
  await Array.fromAsync(room.images.pull({ reference: parseReference(name) }, never));
}
