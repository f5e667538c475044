import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

const execute = promisify(execFile);

/** What an image is made of. All times in it are `epochS`, so equal input gives equal bytes. */
export interface ImageRecipe {
  /** Folders whose content become the layers, lowest first. */
  readonly layers: readonly string[];
  /** The `config` object of the image's config document (Entrypoint, Cmd, Env …). */
  readonly config: Readonly<Record<string, unknown>>;
  /** Full names, such as `docker.io/library/hello:latest`. */
  readonly names: readonly string[];
  /** Seconds since 1970. */
  readonly epochS: number;
  /** `oci`: an OCI layout; `docker`: a docker-archive with manifest.json, as Docker saved before 25. */
  readonly form: "oci" | "docker";
  /** Compress the layers by gzip (OCI form only). */
  readonly gzip?: boolean;
  readonly comment?: string;
}

/** Makes a tar file of an image with GNU tar and nothing of Slipway; answers the digest of its config document. */
export async function makeImage(recipe: ImageRecipe, target: string): Promise<string> {
  const stage = await mkdtemp(join(tmpdir(), "slipway-image-"));
  try {
    const layers = [];
    for (const [index, folder] of recipe.layers.entries()) {
      layers.push(await makeLayer(recipe, folder, join(stage, `layer-${index}.tar`)));
    }
    const config = configDocument(
      recipe,
      layers.map((layer) => layer.diffId),
    );
    const content = join(stage, "content");
    await mkdir(content);
    if (recipe.form === "oci") await writeLayout(recipe, content, config, layers);
    else await writeDockerArchive(recipe, content, config, layers);
    await mkdir(dirname(target), { recursive: true });
    const fresh = `${target}.${process.pid}.new`;
    await tarFolder(content, fresh, recipe.epochS);
    await rename(fresh, target);
    return digestOf(config);
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

interface Layer {
  readonly diffId: string;
  /** The plain tar, for docker-archives. */
  readonly tar: string;
  /** As it lies in the layout: compressed or not. */
  readonly bytes: Buffer;
  readonly mediaType: string;
}

async function makeLayer(recipe: ImageRecipe, folder: string, tar: string): Promise<Layer> {
  await tarFolder(folder, tar, recipe.epochS);
  const plain = await readFile(tar);
  const gzip = recipe.gzip === true;
  return {
    diffId: digestOf(plain),
    tar,
    bytes: gzip ? gzipSync(plain, { level: 9 }) : plain,
    mediaType: `application/vnd.oci.image.layer.v1.tar${gzip ? "+gzip" : ""}`,
  };
}

/** One tar of a folder's content: sorted, owned by root, at one time; sparse and device entries as they are. */
async function tarFolder(folder: string, target: string, epochS: number): Promise<void> {
  const entries = (await readdir(folder)).toSorted();
  const flags = [
    "--sort=name",
    `--mtime=@${epochS}`,
    "--numeric-owner",
    "--format=pax",
    "--xattrs",
    "--xattrs-include=*",
  ];
  const clean = "--pax-option=delete=atime,delete=ctime,delete=mtime,exthdr.name=%d/PaxHeaders/%f";
  await execute("tar", ["-C", folder, ...flags, clean, "-cf", target, "--", ...entries]);
}

function configDocument(recipe: ImageRecipe, diffIds: readonly string[]): string {
  const created = new Date(recipe.epochS * 1000).toISOString().replace(".000", "");
  return JSON.stringify({
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    created,
    config: recipe.config,
    rootfs: { type: "layers", diff_ids: diffIds },
    history: diffIds.map(() => ({ created, created_by: "slipway", comment: recipe.comment ?? "" })),
  });
}

async function writeLayout(
  recipe: ImageRecipe,
  folder: string,
  config: string,
  layers: readonly Layer[],
): Promise<void> {
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: descriptor("application/vnd.oci.image.config.v1+json", config),
    layers: layers.map((layer) => descriptor(layer.mediaType, layer.bytes)),
  });
  const manifests = recipe.names.map((name) => ({
    ...descriptor("application/vnd.oci.image.manifest.v1+json", manifest),
    annotations: {
      "io.containerd.image.name": name,
      "org.opencontainers.image.ref.name": name.slice(name.lastIndexOf(":") + 1),
    },
  }));
  const blobs = join(folder, "blobs/sha256");
  await mkdir(blobs, { recursive: true });
  for (const blob of [config, manifest, ...layers.map((layer) => layer.bytes)]) {
    await writeFile(join(blobs, digestOf(blob).slice("sha256:".length)), blob);
  }
  await writeFile(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests }));
}

const indexType = "application/vnd.oci.image.index.v1+json";

async function writeDockerArchive(
  recipe: ImageRecipe,
  folder: string,
  config: string,
  layers: readonly Layer[],
): Promise<void> {
  const configName = `${digestOf(config).slice("sha256:".length)}.json`;
  const paths = layers.map((layer) => `${layer.diffId.slice("sha256:".length)}/layer.tar`);
  await writeFile(join(folder, configName), config);
  for (const [index, layer] of layers.entries()) {
    const path = join(folder, paths[index] ?? "");
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, await readFile(layer.tar));
  }
  const tags = recipe.names.map((name) => name.replace("docker.io/library/", ""));
  await writeFile(
    join(folder, "manifest.json"),
    JSON.stringify([{ Config: configName, RepoTags: tags, Layers: paths }]),
  );
}

function descriptor(
  mediaType: string,
  bytes: Uint8Array | string,
): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest: digestOf(bytes), size: Buffer.byteLength(bytes) };
}

function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
