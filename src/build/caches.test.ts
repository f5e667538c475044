import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { digestOf, hexOf } from "#core/digest";
import type { Manifest } from "#core/oci";
import { parseReference } from "#core/reference";
import { type BuildBed, type Built, type GivenBuild, openBuildBed } from "#fixtures/build-bed";
import { startRegistry } from "#fixtures/registry";

let bed: BuildBed;
before(async () => {
  bed = await openBuildBed();
});
after(async () => {
  await bed[Symbol.asyncDispose]();
});

const noAbort = new AbortController().signal;
const stages = [
  "FROM busybox AS made",
  "RUN cat /proc/sys/kernel/random/uuid >/uuid",
  "ENV A=1",
  "RUN true",
  "FROM busybox",
  "RUN echo first >/first; cat /proc/sys/kernel/random/uuid >/own",
  "COPY --from=made /uuid /uuid",
  "COPY --link --from=made /uuid /linked",
  "RUN cat /uuid /own >/both",
];
const dockerfile = `${stages.join("\n")}\n`;
const [madeRun = "", firstRun = ""] = [stages[1], stages[5]];

test("--cache-to type=local: what it has, another machine need not do again; only who names it gets it", async () => {
  const folder = newFolder();
  const first = await bed.build(dockerfile, { cacheTo: [to(folder, { mode: "max" })] });
  assert.equal(first.outcomes[madeRun], "done");
  await forget(first);
  const named = await bed.build(dockerfile, { cacheFrom: [from(folder)] });
  assert.deepEqual(ran(named), []);
  assert.deepEqual(warnings(named), []);
  assert.equal(named.result.imageId, first.result.imageId);
  const both = await bed.inside(
    named.result.imageId,
    "cat /uuid /own >/tmp/x; cmp /tmp/x /both && cmp /uuid /linked && echo same",
  );
  assert.equal(both, "same\n");
  // What came from elsewhere is nobody's but this build's.
  assert.deepEqual(ran(await bed.build(dockerfile)).includes(madeRun), true);
});

test("--cache-to mode=min has the result's own steps alone", async () => {
  const folder = newFolder();
  const first = await bed.build(dockerfile, { cacheTo: [to(folder, { mode: "min" })], noCache: true });
  assert.equal(stepsIn(folder), 4);
  await forget(first);
  const named = await bed.build(dockerfile, { cacheFrom: [from(folder)] });
  assert.deepEqual(ran(named).includes(madeRun), true);
  assert.equal(named.outcomes[firstRun], "cached");
  const all = newFolder();
  await bed.build(dockerfile, { cacheTo: [to(all, { mode: "max" })] });
  assert.equal(stepsIn(all), 6);
});

test("a local cache's layers are read when a step needs them, and not before", async () => {
  const folder = newFolder();
  const text = "FROM busybox AS a\nRUN echo a >/a\nFROM busybox\nRUN echo b >/b\nRUN echo c >/c\n";
  const first = await bed.build(text, { cacheTo: [to(folder)] });
  await forget(first);
  const [, ...others] = layersIn(folder);
  assert.equal(others.length, 1);
  const changed = text.replace("RUN echo c", "RUN echo d");
  for (const { digest } of layersIn(folder))
    if (tarOf(folder, digest).includes("c\0")) rmSync(blobPath(folder, digest));
  const built = await bed.build(changed, { cacheFrom: [from(folder)] });
  assert.equal(built.outcomes["RUN echo b >/b"], "cached");
  assert.equal(built.outcomes["RUN echo d >/c"], "done");
  assert.deepEqual(warnings(built), []);
});

test("a local cache under several names; what is there is not written again, what is half is", async () => {
  const folder = newFolder();
  const text = "FROM busybox\nRUN echo named >/named\n";
  await bed.build(text, { cacheTo: [to(folder, { tag: "one" })] });
  const [layer] = layersIn(folder);
  assert.ok(layer !== undefined);
  const path = blobPath(folder, layer.digest);
  const { ino } = statSync(path);
  await bed.build(text, { cacheTo: [to(folder, { tag: "two" })] });
  assert.equal(statSync(path).ino, ino);
  truncateSync(path, 10);
  const whole = await bed.build(text, { cacheTo: [to(folder, { tag: "two" })] });
  assert.equal(statSync(path).size, layer.size);
  const { manifests } = JSON.parse(readFileSync(join(folder, "index.json"), "utf8")) as { manifests: unknown[] };
  assert.equal(manifests.length, 2);
  await forget(whole);
  for (const tag of ["one", "two"]) {
    const built = await bed.build(text, { cacheFrom: [from(folder, { tag })] });
    assert.deepEqual(ran(built), [], tag);
    await forget(built);
  }
  const lost = await bed.build(text, { cacheFrom: [from(folder, { tag: "three" })] });
  assert.match(warnings(lost).join(), /there is no build cache "three" in it/);
});

test("a hostile or broken cache is told of once and not used, and the build is what it would be without", async () => {
  const text = "FROM busybox\nRUN echo good >/good\nRUN echo more >/more\n";
  const folder = newFolder();
  const first = await bed.build(text, { cacheTo: [to(folder)] });
  const honest = layersIn(folder);
  assert.equal(honest.length, 2);
  const attacks: Readonly<Record<string, (folder: string) => void>> = {
    "an empty folder": (at) => rmSync(join(at, "index.json")),
    "an index that is no JSON": (at) => writeFileSync(join(at, "index.json"), "{"),
    "an index of nonsense": (at) => writeFileSync(join(at, "index.json"), '{"manifests":[null,7,{"digest":"../x"}]}'),
    "an index without end": (at) => truncateSync(join(at, "index.json"), 5 << 20),
    "an index that leads out": (at) => {
      rmSync(join(at, "index.json"));
      symlinkSync(join(folder, "index.json"), join(at, "index.json"));
    },
    "layers that are not there": (at) => honest.forEach(({ digest }) => rmSync(blobPath(at, digest))),
    "layers of other bytes": (at) =>
      honest.forEach(({ digest, size }) => writeFileSync(blobPath(at, digest), randomBytes(size))),
    "layers that are too long": (at) =>
      honest.forEach(({ digest, size }) => writeFileSync(blobPath(at, digest), Buffer.alloc(size + 1))),
    "layers that are folders": (at) =>
      honest.forEach(({ digest }) => {
        rmSync(blobPath(at, digest));
        mkdirSync(blobPath(at, digest));
      }),
    "layers of other DiffIDs": (at) =>
      rewrite(at, (manifest, config) => ({ manifest, config: { ...config, layers: config.layers.toReversed() } })),
    "a config that does not fit": (at) =>
      rewrite(at, (manifest, config) => ({ manifest, config: { ...config, layers: config.layers.slice(1) } })),
    "sizes that are none": (at) =>
      rewrite(at, (manifest, config) => ({
        manifest: { ...manifest, layers: manifest.layers.map((layer) => ({ ...layer, size: 2 ** 52 })) },
        config,
      })),
    "a layer type that is none": (at) =>
      rewrite(at, (manifest, config) => ({
        manifest: { ...manifest, layers: manifest.layers.map((layer) => ({ ...layer, mediaType: "text/plain" })) },
        config,
      })),
  };
  await forget(first);
  for (const [name, attack] of Object.entries(attacks)) {
    const at = newFolder();
    copyFolder(folder, at);
    attack(at);
    const built = await bed.build(text, { cacheFrom: [from(at)] });
    assert.equal(warnings(built).length, 1, `${name}: ${warnings(built).join("\n")}`);
    assert.match(warnings(built).join(), /the cache type=local .* is not used: /, name);
    assert.equal(ran(built).length, 2, name);
    assert.equal(await bed.inside(built.result.imageId, "cat /good /more"), "good\nmore\n", name);
    await forget(built);
  }
});

test("a local cache is the folder that the client sees, or none; nothing in it leads elsewhere", async () => {
  const text = "FROM busybox\nRUN echo place >/place\n";
  const [folder, outside] = [newFolder(), newFolder()];
  const wrong = { type: "local", options: { dest: folder, destid: "1:1" } } as const;
  await assert.rejects(bed.build(text, { cacheTo: [wrong] }), /the daemon sees another folder at .* than you do/);
  await assert.rejects(
    bed.build(text, { cacheTo: [to(folder, { mode: "most" })] }),
    /invalid mode of a build cache: most/,
  );
  symlinkSync(outside, join(folder, "blobs"));
  writeFileSync(join(outside, "kept"), "kept");
  symlinkSync(join(outside, "kept"), join(folder, "index.json"));
  await bed.build(text, { cacheTo: [to(folder)] }).catch(() => undefined);
  assert.deepEqual(readdirSync(outside), ["kept"]);
  assert.equal(readFileSync(join(outside, "kept"), "utf8"), "kept");
  const unseen = await bed.build(text, { cacheFrom: [{ type: "local", options: { src: folder } }] });
  assert.match(warnings(unseen).join(), /the daemon sees another folder/);
  const missing = await bed.build(text, { cacheFrom: [{ type: "local", options: { src: "/no/such" } }] });
  assert.match(warnings(missing).join(), /there is no folder for a build cache at \/no\/such/);
});

test("--cache-from type=registry: a cache's manifest is read, its layers as they are needed; a registry that is gone is no failure", async () => {
  const text = "FROM busybox\nRUN echo far >/far\nRUN echo away >/away\n";
  const folder = newFolder();
  const first = await bed.build(text, { cacheTo: [to(folder)] });
  await forget(first);
  await using registry = await startRegistry();
  await upload(registry.address, folder);
  const cacheFrom: GivenBuild["cacheFrom"] = [
    { type: "registry", options: { ref: `${registry.address}/team/cache:1` } },
  ];
  const built = await bed.build(text, { cacheFrom });
  assert.deepEqual(ran(built), []);
  assert.equal(built.result.imageId, first.result.imageId);
  await forget(built);
  await registry[Symbol.asyncDispose]();
  const without = await bed.build(text, { cacheFrom });
  assert.equal(ran(without).length, 2);
  assert.equal(warnings(without).length, 1);
});

test("--cache-to type=registry and --push: the cache, the image and its index with annotations are there, under all tags", async () => {
  await using registry = await startRegistry();
  const text = "FROM busybox\nRUN echo sent >/sent\n";
  const ref = `${registry.address}/team/cache:2`;
  const tags = ["1", "2"].map((tag) => parseReference(`${registry.address}/team/app:${tag}`));
  const request: GivenBuild = {
    tags,
    annotations: { "org.example.note": "said" },
    outputs: [{ type: "image", push: true }],
  };
  const first = await bed.build(text, { ...request, cacheTo: [{ type: "registry", options: { ref, mode: "max" } }] });
  const document = async (tag: string): Promise<{ annotations?: unknown; manifests?: unknown[] }> => {
    const accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
    const answer = await fetch(`http://${registry.address}/v2/team/app/manifests/${tag}`, { headers: { accept } });
    assert.equal(answer.status, 200);
    return (await answer.json()) as { annotations?: unknown; manifests?: unknown[] };
  };
  for (const tag of ["1", "2"]) assert.deepEqual((await document(tag)).annotations, { "org.example.note": "said" });
  assert.ok(
    first.told.some((event) => event.kind === "plan" && event.steps.some(({ name }) => name.startsWith("pushing"))),
  );
  await forget(first);
  const named = await bed.build(text, { cacheFrom: [{ type: "registry", options: { ref } }] });
  assert.deepEqual(ran(named), []);
  await bed.build(text, { ...request, provenance: "min" });
  const index = await document("1");
  assert.equal(index.manifests?.length, 2);
  assert.deepEqual(index.annotations, { "org.example.note": "said" });
  const nameless = bed.build(text, { outputs: [{ type: "image", push: true }] });
  await assert.rejects(nameless, /tag is needed when pushing to registry/);
});

function newFolder(): string {
  return mkdtempSync(join(bed.folder, "cache-"));
}

function idOf(folder: string): string {
  const { dev, ino } = statSync(folder, { bigint: true });
  return `${dev}:${ino}`;
}

function to(folder: string, more: Readonly<Record<string, string>> = {}) {
  return { type: "local", options: { dest: folder, destid: idOf(folder), ...more } } as const;
}

function from(folder: string, more: Readonly<Record<string, string>> = {}) {
  return { type: "local", options: { src: folder, srcid: idOf(folder), ...more } } as const;
}

/** As if it had been built on another machine: neither image nor cache nor layers are here. */
async function forget({ result }: Built): Promise<void> {
  const { imageId } = result;
  if (imageId !== undefined) await bed.images.remove(imageId, { force: true, prune: true }).catch(() => undefined);
  await bed.builder.prune({ all: true, filters: {} }, noAbort);
}

function ran({ outcomes }: Built): string[] {
  return Object.keys(outcomes).filter((step) => outcomes[step] === "done" && !step.startsWith("FROM"));
}

function warnings({ told }: Built): string[] {
  return told.flatMap((event) =>
    event.kind === "warning" && event.warning.rule === "CacheImport" ? [event.warning.message] : [],
  );
}

interface Config {
  readonly layers: readonly string[];
  readonly steps: readonly unknown[];
}

function blobPath(folder: string, digest: string): string {
  return join(folder, "blobs/sha256", digest.slice("sha256:".length));
}

function tarOf(folder: string, digest: string): string {
  return readFileSync(blobPath(folder, digest), "latin1");
}

function manifestIn(folder: string): Manifest {
  const index = JSON.parse(readFileSync(join(folder, "index.json"), "utf8")) as { manifests: { digest: string }[] };
  return JSON.parse(readFileSync(blobPath(folder, index.manifests.at(-1)?.digest ?? ""), "utf8")) as Manifest;
}

function layersIn(folder: string): Manifest["layers"] {
  return manifestIn(folder).layers;
}

function configIn(folder: string): Config {
  return JSON.parse(readFileSync(blobPath(folder, manifestIn(folder).config.digest), "utf8")) as Config;
}

function stepsIn(folder: string): number {
  return configIn(folder).steps.length;
}

function copyFolder(source: string, target: string): void {
  mkdirSync(join(target, "blobs/sha256"), { recursive: true });
  const blobs = readdirSync(join(source, "blobs/sha256")).map((name) => join("blobs/sha256", name));
  for (const path of ["index.json", "oci-layout", ...blobs])
    writeFileSync(join(target, path), readFileSync(join(source, path)));
}

/** Other documents, with their right digests. */
function rewrite(
  folder: string,
  change: (manifest: Manifest, config: Config) => { readonly manifest: Manifest; readonly config: Config },
): void {
  const changed = change(manifestIn(folder), configIn(folder));
  const put = (value: unknown) => {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = digestOf(bytes);
    writeFileSync(join(folder, "blobs/sha256", hexOf(digest)), bytes);
    return { digest, size: bytes.length };
  };
  const config = { ...changed.manifest.config, ...put(changed.config) };
  const manifest = { ...put({ ...changed.manifest, config }), mediaType: changed.manifest.mediaType };
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  writeFileSync(join(folder, "index.json"), JSON.stringify({ manifests: [{ ...manifest, annotations }] }));
}

/** Puts a folder's cache into a registry, by the distribution-spec's monolithic uploads. */
async function upload(address: string, folder: string): Promise<void> {
  const manifest = manifestIn(folder);
  for (const { digest } of [manifest.config, ...manifest.layers]) {
    const begun = await fetch(`http://${address}/v2/team/cache/blobs/uploads/`, { method: "POST" });
    const target = new URL(begun.headers.get("location") ?? "", `http://${address}`);
    target.searchParams.set("digest", digest);
    const put = await fetch(target, {
      method: "PUT",
      headers: { "content-type": "application/octet-stream" },
      body: readFileSync(blobPath(folder, digest)),
    });
    assert.equal(put.status, 201);
  }
  assert.ok(existsSync(join(folder, "index.json")));
  const put = await fetch(`http://${address}/v2/team/cache/manifests/1`, {
    method: "PUT",
    headers: { "content-type": manifest.mediaType ?? "" },
    body: JSON.stringify(manifest),
  });
  assert.equal(put.status, 201);
}
