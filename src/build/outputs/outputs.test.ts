import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { digestOf, hexOf } from "#core/digest";
import { nativePlatform } from "#core/oci";
import { parseReference } from "#core/reference";
import { readTar } from "#core/tar-read";
import type { Layers } from "#images";
import { bytesOf, loadBytes, openTestRoom, tarOf, type TestEntry, type TestRoom } from "../../images/images.fixture.ts";
import type { BuiltImage } from "./built.ts";
import { imageArchive } from "./image-archive.ts";
import { imageIndex, storeIndex } from "./image-index.ts";
import { buildMetadata } from "./metadata.ts";
import { outputBytes } from "./output.ts";
import { provenance, type ProvenanceSource } from "./provenance.ts";
import { rootTar, type RootParts } from "./root-tar.ts";
import { scanRoot } from "./sbom/scan-root.ts";
import { spdx } from "./sbom/spdx.ts";

const signal = AbortSignal.timeout(120_000);
const arm = { os: "linux", architecture: "arm", variant: "v7" };
const tag = parseReference("docker.io/me/app:1");

/** An image of one layer for each list of entries, as a build leaves it. */
async function built(
  room: TestRoom,
  platform: BuiltImage["platform"],
  ...layers: readonly (readonly TestEntry[])[]
): Promise<BuiltImage> {
  const { layers: door } = room.images;
  await using lease = door.lease();
  const made = [];
  let stack: BuiltImage["stack"];
  for (const entries of layers) {
    const { layer, stack: next } = await door.add(stack, onePiece(await tarOf(entries)), lease, signal);
    made.push(layer);
    stack = next;
  }
  const config = { ...platform, created: "2024-05-06T07:08:09Z", config: { Cmd: ["/bin/sh"] } };
  const { id, manifest } = await door.assemble({ config, layers: made, tags: [] }, lease);
  return { platform, id, manifest, stack };
}

function partsOf(room: TestRoom): RootParts & { readonly layers: Layers; readonly scratchFolder: string } {
  const mountPoint = join(room.folder, "layers", ".mount");
  return { layers: room.images.layers, shim: room.shim, mountPoint, scratchFolder: room.folder };
}

async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

/** An archive's files by path. */
async function unpacked(tar: AsyncIterable<Uint8Array>): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for await (const { header, data } of readTar(tar)) files.set(header.path, await bytesOf(data));
  return files;
}

function json(files: ReadonlyMap<string, Buffer>, path: string): unknown {
  return JSON.parse(files.get(path)?.toString() ?? assert.fail(`no ${path}`));
}

function blob(files: ReadonlyMap<string, Buffer>, digest: unknown): unknown {
  return json(files, `blobs/sha256/${String(digest).slice("sha256:".length)}`);
}

/** What lies at a path of a document. */
function at(document: unknown, ...path: readonly (string | number)[]): unknown {
  let value = document;
  for (const step of path) {
    assert.ok(typeof value === "object" && value !== null, `nothing at ${path.join(".")}`);
    value = Object.entries(value).find(([key]) => key === String(step))?.[1];
  }
  return value;
}

function list(document: unknown, ...path: readonly (string | number)[]): unknown[] {
  const value = at(document, ...path);
  assert.ok(Array.isArray(value));
  return value;
}

test("imageArchive: a docker-archive of one image is loaded again as the same image; the same bytes each time", async () => {
  await using room = await openTestRoom();
  const image = await built(room, nativePlatform(), [{ path: "f", data: "F" }], [{ path: "g", data: "G" }]);
  const order = { form: "docker", images: [image], tags: [tag] } as const;
  const bytes = await bytesOf(imageArchive(room.images.layers, order, signal));
  assert.deepEqual(await bytesOf(imageArchive(room.images.layers, order, signal)), bytes);
  await using other = await openTestRoom();
  await loadBytes(other.images, bytes);
  assert.equal(other.images.find("me/app:1").id, image.id);
  const files = await unpacked(onePiece(bytes));
  for (const [path, content] of files)
    if (/^blobs\/sha256\/.+/.test(path)) assert.equal(path, `blobs/sha256/${hexOf(digestOf(content))}`);
  assert.deepEqual(at(json(files, "index.json"), "manifests", 0, "annotations"), {
    "io.containerd.image.name": "docker.io/me/app:1",
    "org.opencontainers.image.ref.name": "1",
  });
});

test("imageArchive: several platforms with attestations are an index, which names each statement as BuildKit does", async () => {
  await using room = await openTestRoom();
  const images = [
    await built(room, nativePlatform(), [{ path: "f", data: "native" }]),
    await built(room, arm, [{ path: "f", data: "arm" }]),
  ];
  const attestation = { predicateType: "https://spdx.dev/Document", predicate: { name: "x" } };
  const indexed = images.map((image) => ({ image, attestations: [attestation] }));
  const index = imageIndex(indexed, { tags: [tag], annotations: { note: "n" } });
  const order = { images, tags: [tag], index, created: "2024-05-06T07:08:09Z" };
  assert.throws(() => imageArchive(room.images.layers, { form: "docker", ...order }, signal), {
    kind: "invalid",
    message: "docker exporter does not currently support exporting manifest lists",
  });
  const files = await unpacked(imageArchive(room.images.layers, { form: "oci", ...order }, signal));
  assert.equal(files.has("manifest.json"), false);
  const named = at(json(files, "index.json"), "manifests", 0);
  assert.equal(at(named, "digest"), index.index.descriptor.digest);
  assert.equal(at(named, "annotations", "org.opencontainers.image.created"), "2024-05-06T07:08:09Z");
  const document = blob(files, at(named, "digest"));
  assert.deepEqual(at(document, "annotations"), { note: "n" });
  const nowhere = { architecture: "unknown", os: "unknown" };
  assert.deepEqual(
    list(document, "manifests").map((each) => at(each, "platform")),
    [nativePlatform(), arm, nowhere, nowhere],
  );
  const attested = at(document, "manifests", 3);
  assert.deepEqual(at(attested, "annotations"), {
    "vnd.docker.reference.digest": images[1]?.manifest.digest,
    "vnd.docker.reference.type": "attestation-manifest",
  });
  const manifest = blob(files, at(attested, "digest"));
  assert.equal(at(manifest, "layers", 0, "mediaType"), "application/vnd.in-toto+json");
  assert.deepEqual(at(manifest, "layers", 0, "annotations"), {
    "in-toto.io/predicate-type": "https://spdx.dev/Document",
  });
  const statement = at(manifest, "layers", 0, "digest");
  assert.deepEqual(at(blob(files, at(manifest, "config", "digest")), "rootfs", "diff_ids"), [statement]);
  assert.deepEqual(blob(files, statement), {
    _type: "https://in-toto.io/Statement/v0.1",
    predicateType: "https://spdx.dev/Document",
    subject: [
      {
        name: "pkg:docker/me/app@1?platform=linux%2Farm%2Fv7",
        digest: { sha256: hexOf(images[1]?.manifest.digest ?? assert.fail()) },
      },
    ],
    predicate: { name: "x" },
  });
});

test("rootTar: the files of a stack, sorted, whiteouts applied, times clamped; several platforms in folders", async () => {
  await using room = await openTestRoom();
  const late = 2_000_000_000_000_000_000n;
  const image = await built(
    room,
    nativePlatform(),
    [{ path: "b/" }, { path: "b/old", data: "" }, { path: "a", data: "A", mode: 0o4755, uid: 70_000, mtimeNs: late }],
    [
      { path: "b/.wh.old", data: "" },
      { path: "h", type: "hardlink", linkPath: "a" },
      { path: "l", type: "symlink", linkPath: "/a" },
    ],
  );
  const listed = async (roots: Parameters<typeof rootTar>[1], latestNs?: bigint): Promise<string[]> => {
    const lines: string[] = [];
    for await (const { header } of readTar(rootTar(partsOf(room), roots, latestNs, signal)))
      lines.push(
        `${header.type} ${header.mode.toString(8)} ${header.uid} ${header.mtimeNs / 1_000_000_000n} ${header.path} ${header.linkPath}`.trim(),
      );
    return lines;
  };
  assert.deepEqual(await listed([{ image, attestations: [] }], 7_000_000_000n), [
    "file 4755 70000 7 a",
    "directory 755 0 0 b/",
    "hardlink 4755 70000 7 h a",
    "symlink 777 0 0 l /a",
  ]);
  const attestation = { predicateType: "https://spdx.dev/Document", predicate: { name: "x" } };
  const both = [
    { image, attestations: [attestation] },
    { image: { platform: arm, stack: undefined }, attestations: [] },
  ];
  const folder = `linux_${nativePlatform().architecture}`;
  const lines = await listed(both);
  assert.ok(lines.includes(`hardlink 4755 70000 2000000000 ${folder}/h ${folder}/a`));
  assert.ok(lines.includes(`file 644 0 0 ${folder}/sbom.spdx.json`));
  const files = await unpacked(rootTar(partsOf(room), [{ image, attestations: [attestation] }], undefined, signal));
  const said = json(files, "sbom.spdx.json");
  assert.deepEqual(at(said, "subject"), [{ name: "a", digest: { sha256: hexOf(digestOf("A")) } }]);
  assert.deepEqual(at(said, "predicate"), { name: "x" });
  assert.equal(lines.at(-1), "directory 755 0 0 linux_arm_v7/");
});

const source: ProvenanceSource = {
  mode: "max",
  buildId: "b1",
  builderId: "",
  platform: nativePlatform(),
  startedOn: "2024-05-06T07:08:09Z",
  finishedOn: "2024-05-06T07:08:10Z",
  dockerfile: { path: "Dockerfile", text: "FROM scratch\n" },
  source: { uri: "https://me:hunter2@host/repo.git", commit: "c0ffee" },
  target: "final",
  args: { VERSION: "1" },
  labels: { team: "blue" },
  secretIds: ["token"],
  sshIds: ["default"],
  locals: ["context"],
  materials: [{ uri: "https://me:hunter2@host/file", algorithm: "sha256", hex: "aa" }],
  steps: [{ id: "sha256:1", name: "RUN make", inputs: [] }],
};

test("outputBytes: each type of output; attestations make an index, but not in a docker-archive", async () => {
  await using room = await openTestRoom();
  const image = await built(room, nativePlatform(), [{ path: "f", data: "F" }]);
  const attestations = [{ predicateType: "https://spdx.dev/Document", predicate: {} }];
  const finished = { images: [{ image, attestations }], tags: [tag] };
  const files = async (
    type: Parameters<typeof outputBytes>[1],
    build = finished,
  ): Promise<ReadonlyMap<string, Buffer>> => await unpacked(outputBytes(partsOf(room), type, build, signal));
  const mediaTypeOf = (all: ReadonlyMap<string, Buffer>): unknown =>
    at(json(all, "index.json"), "manifests", 0, "mediaType");
  assert.equal(mediaTypeOf(await files("oci")), "application/vnd.oci.image.index.v1+json");
  assert.equal(mediaTypeOf(await files("docker")), "application/vnd.oci.image.manifest.v1+json");
  const plain = { ...finished, images: [{ image, attestations: [] }] };
  assert.equal(mediaTypeOf(await files("oci", plain)), "application/vnd.oci.image.manifest.v1+json");
  assert.deepEqual([...(await files("tar")).keys()], ["f", "sbom.spdx.json"]);
  assert.deepEqual([...(await files("local", plain)).keys()], ["f"]);
});

test("storeIndex: the index and all that it names are in the store", async () => {
  await using room = await openTestRoom();
  const { layers } = room.images;
  await using lease = layers.lease();
  const image = await built(room, nativePlatform(), [{ path: "f", data: "F" }]);
  const made = imageIndex([{ image, attestations: [{ predicateType: "t", predicate: 1 }] }], { tags: [] });
  assert.deepEqual(await storeIndex(layers, made, lease), made.index.descriptor);
  for (const { descriptor, bytes } of made.documents)
    assert.deepEqual(await bytesOf(layers.readBlob(descriptor.digest)), Buffer.from(bytes));
  assert.throws(() => layers.readBlob(digestOf("nothing")), { kind: "notFound" });
});

test("provenance: max says arguments and steps, min neither; passwords in neither, secrets by their ids alone", () => {
  const max = JSON.stringify(provenance(source));
  const min = JSON.stringify(provenance({ ...source, mode: "min" }));
  for (const text of [max, min]) {
    assert.ok(!text.includes("hunter2"));
    assert.ok(text.includes('"entryPoint":"Dockerfile"'));
    assert.ok(text.includes('"target":"final"'));
  }
  for (const word of [
    '"build-arg:VERSION":"1"',
    '"label:team":"blue"',
    '"secrets":[{"id":"token","optional":true}]',
    "RUN make",
    '"infos"',
  ])
    assert.deepEqual([max.includes(word), min.includes(word)], [true, false], word);
  const { predicate } = provenance({ ...source, mode: "min" });
  assert.deepEqual(at(predicate, "metadata", "completeness"), {
    parameters: false,
    environment: true,
    materials: false,
  });
  assert.deepEqual(at(predicate, "invocation", "environment"), { platform: `linux/${nativePlatform().architecture}` });
});

test("buildMetadata: buildx's keys", () => {
  const digest = digestOf("manifest");
  const exported = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size: 8 };
  const metadata = buildMetadata({
    buildId: "b1",
    tags: [tag],
    exported,
    configDigest: digestOf("config"),
    provenance: [{ platform: arm, predicate: { a: 1 } }],
  });
  assert.deepEqual(metadata, {
    "buildx.build.provenance": { a: 1 },
    "buildx.build.ref": "slipway/slipway/b1",
    "containerimage.config.digest": digestOf("config"),
    "containerimage.descriptor": { ...exported, annotations: { "config.digest": digestOf("config") } },
    "containerimage.digest": digest,
    "image.name": "docker.io/me/app:1",
  });
  const both = [
    { platform: arm, predicate: 1 },
    { platform: nativePlatform(), predicate: 2 },
  ];
  const several = buildMetadata({ buildId: "b1", tags: [], provenance: both });
  assert.deepEqual(Object.keys(several), [
    "buildx.build.provenance/linux/arm/v7",
    `buildx.build.provenance/linux/${nativePlatform().architecture}`,
    "buildx.build.ref",
  ]);
});

/** A header as rpm writes it: the index, then the values. */
function rpmHeader(values: Readonly<Record<number, string | number>>): Buffer {
  const index: Buffer[] = [];
  const data: Buffer[] = [];
  let at = 0;
  for (const [tag, value] of Object.entries(values)) {
    const bytes = typeof value === "number" ? Buffer.alloc(4) : Buffer.from(`${value}\0`);
    if (typeof value === "number") bytes.writeUInt32BE(value);
    const entry = Buffer.alloc(16);
    for (const [offset, number] of [Number(tag), typeof value === "number" ? 4 : 6, at, 1].entries())
      entry.writeUInt32BE(number, offset * 4);
    index.push(entry);
    data.push(bytes);
    at += bytes.length;
  }
  const counts = Buffer.alloc(8);
  counts.writeUInt32BE(index.length, 0);
  counts.writeUInt32BE(at, 4);
  return Buffer.concat([counts, ...index, ...data]);
}

function rpmDatabase(folder: string, table: string): Buffer {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "made.sqlite");
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = WAL; ${table}`);
  if (table.includes("hnum INTEGER")) {
    const insert = database.prepare("INSERT INTO Packages (blob) VALUES (?)");
    insert.run(
      rpmHeader({ 1000: "bash", 1001: "5.2", 1002: "1.fc40", 1003: 2, 1014: "GPL-3.0-or-later", 1022: "x86_64" }),
    );
    insert.run(rpmHeader({ 1000: "gpg-pubkey", 1001: "a", 1002: "b" }));
    insert.run(Buffer.from("no header"));
  }
  database.close();
  return readFileSync(path);
}

test("scanRoot: what dpkg, apk, rpm, npm and Python's installers have noted; the document is valid SPDX 2.3", async () => {
  await using room = await openTestRoom();
  const rpm = rpmDatabase(
    join(room.folder, "rpm1"),
    "CREATE TABLE IF NOT EXISTS 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)",
  );
  const dpkg =
    "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc (2.36)\nVersion: 2.36-9+deb12u4\nDescription: C\n more: words\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n";
  const image = await built(room, nativePlatform(), [
    { path: "etc/os-release", data: 'NAME="Debian"\nID=debian\n' },
    { path: "var/lib/dpkg/status", data: dpkg },
    { path: "var/lib/dpkg/status.d/base", data: "Package: base-files\nVersion: 12\n" },
    {
      path: "lib/apk/db/installed",
      data: "C:Q1x=\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\n\nP:ssl_client\nV:1-r1\nL:GPL-2.0-only AND x\no:busybox\n",
    },
    { path: "var/lib/rpm/rpmdb.sqlite", data: rpm },
    { path: "usr/lib/sysimage/rpm/Packages.db", data: "ndb" },
    {
      path: "app/node_modules/@scope/thing/package.json",
      data: '{"name":"@scope/thing","version":"1.0.0","license":"ISC"}',
    },
    { path: "app/node_modules/plain/package.json", data: '{"name":"plain","version":"2.0.0"}' },
    { path: "app/node_modules/plain/lib/package.json", data: '{"type":"module"}' },
    { path: "app/package.json", data: '{"name":"app","version":"1.0.0"}' },
    {
      path: "usr/lib/python3/site-packages/Flask_X-3.dist-info/METADATA",
      data: "Metadata-Version: 2.1\nName: Flask_X\nVersion: 3.0\nLicense: BSD-3-Clause\n\nName: no\n",
    },
    { path: "data", data: "x" },
  ]);
  const found = await scanRoot(partsOf(room), image.stack, signal);
  const document = spdx({ name: "me/app:1", created: "2024-05-06T07:08:09.123Z", ...found }).predicate;
  const packages = list(document, "packages");
  const locators = packages.slice(1).map((each) => String(at(each, "externalRefs", 0, "referenceLocator")));
  assert.deepEqual(locators.toSorted(), [
    "pkg:apk/debian/musl@1.2.5-r0?arch=x86_64",
    "pkg:apk/debian/ssl_client@1-r1?upstream=busybox",
    "pkg:deb/debian/base-files@12",
    "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&upstream=glibc",
    "pkg:npm/%40scope/thing@1.0.0",
    "pkg:npm/plain@2.0.0",
    "pkg:pypi/flask-x@3.0",
    "pkg:rpm/debian/bash@5.2-1.fc40?arch=x86_64&epoch=2",
  ]);
  assert.match(String(at(document, "creationInfo", "comment")), /\/usr\/lib\/sysimage\/rpm\/Packages\.db/);
  assert.equal(at(document, "creationInfo", "created"), "2024-05-06T07:08:09Z");
  const ids = packages.map((each) => String(at(each, "SPDXID")));
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^SPDXRef-[A-Za-z0-9.-]+$/);
  const licenses = new Set(packages.map((each) => at(each, "licenseDeclared")));
  assert.deepEqual(licenses, new Set(["NOASSERTION", "MIT", "GPL-3.0-or-later", "ISC", "BSD-3-Clause"]));
});

test("scanRoot: a database that is none of rpm's is told, and cannot keep us busy", async () => {
  await using room = await openTestRoom();
  const endless =
    "CREATE VIEW Packages AS WITH RECURSIVE n(hnum, blob) AS (SELECT 1, x'00' UNION ALL SELECT hnum + 1, blob FROM n) SELECT * FROM n WHERE hnum < 0";
  const tables = [endless, "CREATE TABLE Packages (hnum PRIMARY KEY, blob BLOB AS (zeroblob(1000)))"];
  for (const [number, table] of tables.entries()) {
    const data = rpmDatabase(join(room.folder, `rpm${number}`), table);
    const image = await built(room, nativePlatform(), [{ path: "var/lib/rpm/rpmdb.sqlite", data }]);
    const found = await scanRoot(partsOf(room), image.stack, signal);
    assert.deepEqual(found, { packages: [], unread: ["/var/lib/rpm/rpmdb.sqlite"] });
  }
  const image = await built(room, nativePlatform(), [{ path: "var/lib/rpm/rpmdb.sqlite", data: "no database" }]);
  assert.deepEqual((await scanRoot(partsOf(room), image.stack, signal)).unread, ["/var/lib/rpm/rpmdb.sqlite"]);
});
