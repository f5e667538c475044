import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { parseReference } from "#core/reference";
import { busyboxArchive, makeTestImage } from "#fixtures/images";
import { mustRun } from "#fixtures/program";
import { startRegistry, type TestRegistry } from "#fixtures/registry";
import { openTestRoom } from "./images.fixture.ts";
import type { Images } from "./images.ts";

const never = new AbortController().signal;

test("pull: an image from a real registry can be run, is up to date, and survives a new daemon", async () => {
  await using room = await openTestRoom();
  await using registry = await startRegistry();
  const archive = join(room.folder, "archive.tar");
  await makeTestImage(archive, { files: { "etc/motd": "hello from above" }, names: ["docker.io/library/test:1"] });
  await registry.push(archive, "team/test:1");
  const name = `${registry.address}/team/test:1`;
  assert.match((await pull(room.images, name)).at(-1) ?? "", /^Status: Downloaded newer image for /);
  const image = room.images.find(name);
  assert.deepEqual(image.repoTags, [name]);
  assert.match(image.repoDigests[0] ?? "", new RegExp(`^${registry.address}/team/test@sha256:`));
  await room.images.createRoot(image.id, "c1");
  assert.equal(await room.inRoot("c1", "cat etc/motd"), "hello from above");
  await room.images.dropRoot("c1");
  const again = await room.reopen();
  assert.equal(again.find(name).id, image.id);
  assert.match((await pull(again, name)).at(-1) ?? "", /^Status: Image is up to date for /);
  assert.ok(room.events.some(({ action, actorId }) => action === "pull" && actorId === name));
});

test("pull: zstd as well as gzip, by tag and by digest; however its layers are compressed, it is one image", async () => {
  await using room = await openTestRoom();
  await using other = await openTestRoom();
  await using gzip = await startRegistry();
  await using zstd = await startRegistry(); // skopeo would use the layer again that it knows to be in the first
  const gzipName = `${gzip.address}/busybox@${await pushCompressed(gzip, "gzip")}`;
  const zstdName = `${zstd.address}/busybox@${await pushCompressed(zstd, "zstd")}`;
  assert.notEqual(gzipName.split("@")[1], zstdName.split("@")[1]);
  assert.ok((await pull(room.images, gzipName)).includes("Pull complete"));
  assert.ok(!(await pull(room.images, zstdName)).includes("Pull complete"));
  assert.match((await pull(room.images, zstdName)).at(-1) ?? "", /^Status: Image is up to date for /);
  assert.equal(room.images.find(gzipName).id, room.images.find(zstdName).id);
  assert.ok((await pull(other.images, `${zstd.address}/busybox`)).includes("Pull complete"));
  await other.images.createRoot(other.images.find(zstdName).id, "c1");
  assert.match(await other.inRoot("c1", "cat etc/passwd"), /^root:x:0:0:/);
  await other.images.dropRoot("c1");
});

test("pull: a refused image leaves nothing that is not kept for the next try", async () => {
  await using room = await openTestRoom();
  await using registry = await startRegistry();
  await assert.rejects(pull(room.images, `${registry.address}/none:1`), (error) => isFault(error, "notFound"));
  assert.deepEqual(room.images.list({ all: true, filters: {} }), []);
  assert.deepEqual(readdirSync(join(room.folder, "content/ingest")), []);
});

/** Pushes busybox with its layers compressed so; answers the manifest's digest. */
async function pushCompressed(registry: TestRegistry, format: "gzip" | "zstd"): Promise<string> {
  const options = ["-q", "--dest-tls-verify=false", "--dest-compress-format", format, "--format", "oci"];
  const [source, target] = [`oci-archive:${await busyboxArchive("oci")}`, `docker://${registry.address}/busybox`];
  await mustRun("skopeo", ["copy", ...options, source, target]);
  return (await mustRun("skopeo", ["inspect", "--tls-verify=false", "--format", "{{.Digest}}", target])).trim();
}

async function pull(images: Images, name: string): Promise<string[]> {
  const progress = await Array.fromAsync(images.pull({ reference: parseReference(name) }, never));
  return progress.map(({ status }) => status ?? "");
}
