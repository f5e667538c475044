import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "#core/digest";
import { isFault } from "#core/fault";
import { parseReference } from "#core/reference";
import { makeTestImage } from "#fixtures/images";
import { mustRun } from "#fixtures/program";
import { startRegistry, type TestRegistry } from "#fixtures/registry";
import { dockerArchive, loadBytes, openTestRoom, tarOf, type TestRoom } from "./images.fixture.ts";
import type { Images, Progress, PushRequest } from "./images.ts";

const never = new AbortController().signal;

test("push: plain layers go packed; the second push sends nothing; pulled into an empty store it is the same image", async () => {
  await using room = await openTestRoom();
  await using registry = await startRegistry();
  const name = `${registry.address}/team/app:1`;
  const { id, layers } = await loadImage(room, name);
  const first = await push(room.images, name);
  const [lower, upper] = layers.map((layer) => digestOf(layer).slice(7, 19));
  assert.deepEqual(first.slice(0, 3), [
    `The push refers to repository [${registry.address}/team/app]`,
    `${upper}: Preparing`,
    `${lower}: Preparing`,
  ]);
  for (const layer of [lower, upper]) assert.ok(first.includes(`${layer}: Pushed`), first.join("\n"));
  const digest = /^1: digest: (sha256:\w+) size: \d+$/.exec(first.at(-2) ?? "")?.[1] ?? "";
  assert.equal(first.at(-1), `pushed 1 ${digest}`);
  assert.equal(await remoteDigest(registry, "team/app:1"), digest);
  assert.deepEqual(room.images.find(name).repoDigests, [`${registry.address}/team/app@${digest}`]);
  const manifest = JSON.parse(await mustRun("skopeo", [...insecure, "--raw", `docker://${name}`])) as {
    layers: { mediaType: string }[];
  };
  for (const layer of manifest.layers) assert.equal(layer.mediaType, "application/vnd.oci.image.layer.v1.tar+gzip");
  const second = await push(room.images, name);
  for (const layer of [lower, upper]) assert.ok(second.includes(`${layer}: Layer already exists`));
  assert.equal(second.at(-1), first.at(-1));
  assert.ok(room.events.some(({ action, actorId }) => action === "push" && actorId === name));
  await using other = await openTestRoom();
  await pull(other.images, name);
  assert.equal(other.images.find(name).id, id);
  assert.match((await pull(room.images, name)).at(-1) ?? "", /Image is up to date/);
});

test("push: a layer that is packed again has the same bytes", async () => {
  await using room = await openTestRoom();
  await using here = await startRegistry();
  await using there = await startRegistry();
  const { id } = await loadImage(room, `${here.address}/app:1`);
  await room.images.tag(id, parseReference(`${there.address}/app:1`));
  await push(room.images, `${here.address}/app:1`);
  await push(room.images, `${there.address}/app:1`);
  assert.equal(await remoteDigest(here, "app:1"), await remoteDigest(there, "app:1"));
});

test("push: what was pulled keeps its digest, layers and manifest; another repository of the registry has them mounted", async () => {
  await using room = await openTestRoom();
  await using registry = await startRegistry();
  const archive = join(room.folder, "archive.tar");
  await makeTestImage(archive, { files: { "etc/motd": "hello" }, names: ["docker.io/library/test:1"] });
  await registry.push(archive, "team/test:1");
  const source = `${registry.address}/team/test:1`;
  await pull(room.images, source);
  const target = `${registry.address}/other/copy:2`;
  await room.images.tag(source, parseReference(target));
  const lines = await push(room.images, target);
  assert.ok(
    lines.some((line) => line.endsWith(": Mounted from team/test")),
    lines.join("\n"),
  );
  assert.ok(!lines.some((line) => line.endsWith(": Pushed")), lines.join("\n"));
  assert.equal(await remoteDigest(registry, "other/copy:2"), await remoteDigest(registry, "team/test:1"));
  assert.equal(room.images.find(target).repoDigests.length, 2);
});

test("push: every tag of a repository with allTags", async () => {
  await using room = await openTestRoom();
  await using registry = await startRegistry();
  const { id } = await loadImage(room, `${registry.address}/app:1`);
  await room.images.tag(id, parseReference(`${registry.address}/app:2`));
  await push(room.images, `${registry.address}/app`, { allTags: true });
  assert.equal(await remoteDigest(registry, "app:1"), await remoteDigest(registry, "app:2"));
});

test("push: a registry with users takes it from them, and says no to others in its own words", async () => {
  await using room = await openTestRoom();
  await using registry = await startRegistry({ users: { ann: "right horse" } });
  const name = `${registry.address}/app:1`;
  await loadImage(room, name);
  await assert.rejects(push(room.images, name), (error) => isFault(error, "unauthorized"));
  const wrong = { auth: { username: "ann", password: "wrong" } };
  await assert.rejects(push(room.images, name, wrong), /^Fault: unauthorized: authentication required/);
  assert.deepEqual(room.images.find(name).repoDigests, [], "nothing half told as done");
  const lines = await push(room.images, name, { auth: { username: "ann", password: "right horse" } });
  assert.match(lines.at(-2) ?? "", /^1: digest: sha256:/);
});

test("push: what is not here is named in Docker's words", async () => {
  await using room = await openTestRoom();
  await loadImage(room, "127.0.0.1:1/app:1");
  await assert.rejects(push(room.images, "127.0.0.1:1/app:2"), /^Fault: tag does not exist: 127.0.0.1:1\/app:2$/);
  const nothing = /^Fault: An image does not exist locally with the tag: 127.0.0.1:1\/none$/;
  await assert.rejects(push(room.images, "127.0.0.1:1/none:2"), nothing);
  await assert.rejects(push(room.images, "127.0.0.1:1/none", { allTags: true }), nothing);
  await assert.rejects(push(room.images, "127.0.0.1:1/app:1"), /127\.0\.0\.1:1\b.*connection refused/);
});

const insecure = ["inspect", "--tls-verify=false"];

async function remoteDigest(registry: TestRegistry, name: string): Promise<string> {
  const target = `docker://${registry.address}/${name}`;
  return (await mustRun("skopeo", [...insecure, "--format", "{{.Digest}}", target])).trim();
}

/** Loads an image of two plain layers, the lower one of 3 MiB. */
async function loadImage(room: TestRoom, name: string) {
  const layers = [
    await tarOf([{ path: "data", data: randomBytes(3 << 20) }]),
    await tarOf([{ path: "etc/" }, { path: "etc/motd", data: "hello" }]),
  ];
  await loadBytes(room.images, await dockerArchive([{ tags: [name], layers }]));
  return { id: room.images.find(name).id, layers };
}

async function push(images: Images, name: string, options: Omit<PushRequest, "reference"> = {}): Promise<string[]> {
  return (await Array.fromAsync(images.push({ reference: parseReference(name), ...options }, never))).map(lineOf);
}

function lineOf({ id, status, pushed }: Progress): string {
  if (pushed !== undefined) return `pushed ${pushed.tag} ${pushed.digest}`;
  return id === undefined ? (status ?? "") : `${id}: ${status ?? ""}`;
}

async function pull(images: Images, name: string): Promise<string[]> {
  const progress = await Array.fromAsync(images.pull({ reference: parseReference(name) }, never));
  return progress.map(({ status }) => status ?? "");
}
