import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { digestOf, hexOf } from "#core/digest";
import { isFault } from "#core/fault";
import { bytesOf, configOf, dockerArchive, loadBytes, openTestRoom, piecesOf, tarOf } from "./images.fixture.ts";

const signal = new AbortController().signal;

test("save: what was saved loads again with the same id, by us and by skopeo in both forms", async () => {
  await using room = await openTestRoom();
  const layers = [await tarOf([{ path: "a", data: "a" }]), await tarOf([{ path: "b", data: "b".repeat(5000) }])];
  await loadBytes(room.images, await dockerArchive([{ tags: ["one:1", "one:2", "localhost:5000/two:x"], layers }]));
  const { id } = room.images.find("one:1");
  const saved = await bytesOf(room.images.save(["one", "localhost:5000/two:x"], signal));
  assert.deepEqual(await bytesOf(room.images.save(["one", "localhost:5000/two:x"], signal)), saved);
  const path = join(room.folder, "saved.tar");
  writeFileSync(path, saved);
  const listed = execFileSync("tar", ["-tf", path], { encoding: "utf8" });
  assert.match(listed, /^blobs\/\nblobs\/sha256\/\n[^]*index\.json\nmanifest\.json\noci-layout\nrepositories\n$/);
  for (const source of [`docker-archive:${path}:one:1`, `oci-archive:${path}:2`]) {
    const facts: unknown = JSON.parse(execFileSync("skopeo", ["inspect", "--config", source], { encoding: "utf8" }));
    assert.deepEqual(
      (facts as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids,
      layers.map((layer) => digestOf(layer)),
    );
    const copy = join(room.folder, `copy-${source.slice(0, 3)}`);
    execFileSync("skopeo", ["copy", "--quiet", source, `dir:${copy}`]);
  }
  await using other = await openTestRoom();
  const lines = await loadBytes(other.images, saved);
  assert.deepEqual(lines.flatMap((line) => line.stream ?? []).sort(), [
    "Loaded image: localhost:5000/two:x\n",
    "Loaded image: one:1\n",
    "Loaded image: one:2\n",
  ]);
  assert.equal(other.images.find("localhost:5000/two:x").id, id);
  const byId = await bytesOf(room.images.save([id], signal));
  await using third = await openTestRoom();
  assert.equal((await loadBytes(third.images, byId)).at(-1)?.stream, `Loaded image ID: ${id}\n`);
  assert.throws(
    () => room.images.save(["none"], signal),
    (error) => isFault(error, "notFound"),
  );
});

test("save: layers keep their stored form, and loading from skopeo's OCI archive keeps the manifest", async () => {
  await using room = await openTestRoom();
  const plain = await tarOf([{ path: "a", data: "a" }]);
  for (const [index, pack] of [gzipSync, zstdCompressSync].entries()) {
    const layer = pack(plain);
    await loadBytes(
      room.images,
      await dockerArchive([
        { tags: [`packed:${index}`], layers: [layer], diffIds: [digestOf(plain)], config: { User: String(index) } },
      ]),
    );
    const saved = await bytesOf(room.images.save([`packed:${index}`], signal));
    assert.ok(saved.includes(layer));
    const path = join(room.folder, `packed-${index}.tar`);
    writeFileSync(path, saved);
    const oci = join(room.folder, `again-${index}.tar`);
    execFileSync("skopeo", ["copy", "--quiet", `oci-archive:${path}`, `oci-archive:${oci}:copied/image:${index}`]);
    await loadBytes(room.images, execFileSync("cat", [oci], { maxBuffer: 1 << 26 }));
    assert.equal(room.images.find(`copied/image:${index}`).id, room.images.find(`packed:${index}`).id);
  }
});

test("save: an image with Docker's own manifest type is written so that OCI tools read it", async () => {
  await using room = await openTestRoom();
  const plain = await tarOf([{ path: "a", data: "a" }]);
  const layer = gzipSync(plain);
  const config = JSON.stringify(configOf({ layers: [plain] }));
  const describe = (kind: string, data: string | Buffer): object => ({
    mediaType: kind,
    digest: digestOf(data),
    size: data.length,
  });
  const type = "application/vnd.docker.distribution.manifest.v2+json";
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: type,
    config: describe("application/vnd.docker.container.image.v1+json", config),
    layers: [describe("application/vnd.docker.image.rootfs.diff.tar.gzip", layer)],
  });
  const named = {
    ...describe(type, manifest),
    annotations: { "io.containerd.image.name": "docker.io/library/typed:1" },
  };
  const blobs = [config, manifest, layer].map((data) => ({ path: `blobs/sha256/${hexOf(digestOf(data))}`, data }));
  const index = JSON.stringify({ schemaVersion: 2, manifests: [named] });
  await loadBytes(room.images, await tarOf([...blobs, { path: "index.json", data: index }]));
  const path = join(room.folder, "typed.tar");
  writeFileSync(path, await bytesOf(room.images.save(["typed:1"], signal)));
  for (const [number, source] of [`oci-archive:${path}:1`, `docker-archive:${path}:typed:1`].entries()) {
    execFileSync("skopeo", ["copy", "--quiet", source, `dir:${room.folder}/typed-${number}`]);
  }
});

test("load: a multi-platform OCI layout gives the image of this machine; attestations are passed over", async () => {
  await using room = await openTestRoom();
  const blobs = new Map<string, Buffer>();
  const put = (data: Buffer | string, type: string, more: object = {}): object => {
    blobs.set(hexOf(digestOf(data)), Buffer.from(data));
    return { mediaType: type, digest: digestOf(data), size: Buffer.byteLength(data), ...more };
  };
  const layer = await tarOf([{ path: "a", data: "a" }]);
  const image = (config: object, platform: object): object => {
    const manifest = {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: put(JSON.stringify(config), "application/vnd.oci.image.config.v1+json"),
      layers: [put(layer, "application/vnd.oci.image.layer.v1.tar")],
    };
    return put(JSON.stringify(manifest), manifest.mediaType, { platform });
  };
  const native = configOf({ layers: [layer] });
  const index = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      image({ ...native, architecture: "s390x" }, { os: "linux", architecture: "s390x" }),
      put("{}", "application/vnd.oci.image.manifest.v1+json", { platform: { os: "unknown", architecture: "unknown" } }),
      image(native, { os: "linux", architecture: process.arch === "arm64" ? "arm64" : "amd64" }),
    ],
  };
  const annotations = {
    "io.containerd.image.name": "docker.io/library/multi:latest",
    "org.opencontainers.image.ref.name": "latest",
  };
  const top = { schemaVersion: 2, manifests: [put(JSON.stringify(index), index.mediaType, { annotations })] };
  const archive = await tarOf([
    { path: "index.json", data: JSON.stringify(top) },
    ...[...blobs].map(([hex, data]) => ({ path: `blobs/sha256/${hex}`, data })),
  ]);
  await loadBytes(room.images, archive);
  const found = room.images.find("multi");
  assert.equal(found.id, digestOf(JSON.stringify(native)));
  assert.deepEqual(found.repoDigests, [`multi@${digestOf(JSON.stringify(index))}`]);
  assert.equal(room.images.find(found.repoDigests[0] ?? "").id, found.id);
  assert.throws(
    () => room.images.find("multi", { os: "linux", architecture: "s390x" }),
    /does not provide the specified platform \(linux\/s390x\)/,
  );
  const lines: string[] = [];
  const platform = { os: "linux", architecture: "s390x" };
  for await (const line of room.images.load(piecesOf(archive), { quiet: true, platform }, signal))
    lines.push(line.stream ?? "");
  assert.deepEqual(lines, ["Loaded image: multi:latest\n"]);
  assert.equal(room.images.find("multi").config.architecture, "s390x");
});

test("load: older archives with links between layers, and bzip2 and xz ones", async () => {
  await using room = await openTestRoom();
  const layer = await tarOf([{ path: "a", data: "a" }]);
  const config = JSON.stringify(configOf({ layers: [layer, layer] }));
  const archive = await tarOf([
    {
      path: "manifest.json",
      data: JSON.stringify([{ Config: "c.json", RepoTags: ["linked:1"], Layers: ["x/layer.tar", "y/layer.tar"] }]),
    },
    { path: "y/" },
    { path: "y/layer.tar", type: "symlink", linkPath: "../x/layer.tar" },
    { path: "x/" },
    { path: "x/layer.tar", data: layer },
    { path: "x/VERSION", data: "1.0" },
    { path: "c.json", data: config },
    { path: "repositories", data: "{}" },
  ]);
  for (const pack of ["cat", "bzip2", "xz"]) {
    const packed = execFileSync(pack, pack === "cat" ? [] : ["-c"], { input: archive });
    assert.equal((await loadBytes(room.images, packed)).at(-1)?.stream, "Loaded image: linked:1\n");
    await room.images.remove("linked:1", { force: false, prune: true });
  }
});

test("content: the store is an OCI layout in which skopeo finds the tagged images", async () => {
  await using room = await openTestRoom();
  const layer = await tarOf([{ path: "a", data: "a" }]);
  await loadBytes(room.images, await dockerArchive([{ tags: ["kept:1"], layers: [layer] }]));
  await new Promise((resolve) => void setImmediate(resolve));
  const inspect = (): string =>
    execFileSync("skopeo", ["inspect", "--config", `oci:${room.folder}/content:kept:1`], {
      encoding: "utf8",
      stdio: "pipe",
    });
  assert.match(inspect(), new RegExp(digestOf(layer)));
  await room.images.remove("kept:1", { force: false, prune: true });
  await new Promise((resolve) => void setImmediate(resolve));
  assert.throws(inspect);
});
