import { batch } from "#core/batch";
import { type Digest, Digester, hexOf } from "#core/digest";
import { Fault } from "#core/fault";
import { tarHeader, type TarHeader, utf8Name } from "#core/tar";
import { readTar, type TarEntry } from "#core/tar-read";
import { writeTar } from "#core/tar-write";
import type { Shim } from "#host";
import type { Layers } from "#images";
import { platformName } from "#core/platform";
import { type Attestation, attestationFile, statement, type Subject } from "./attestations.ts";
import type { BuiltImage } from "./built.ts";
import { keptAttributes } from "../steps/target.ts";

/** What root filesystems are read with. */
export interface RootParts {
  readonly layers: Pick<Layers, "shownAt">;
  readonly shim: Shim;
  /** An empty folder that stacks are shown at, each to its own programs. */
  readonly mountPoint: string;
}

/** One platform's files, and what is said of them: it comes last, as `provenance.json` and `sbom.spdx.json`, with every file as a subject. */
export interface RootOrder {
  readonly image: Pick<BuiltImage, "platform" | "stack">;
  readonly attestations: readonly Attestation[];
}

/**
 * The root filesystem of a build as a tar, sorted, owners in numbers; of several platforms, each in a folder of its name
 * (`linux_arm64`), as BuildKit's `tar` and `local` have it. Times after `latestNs` become that.
 */
export function rootTar(
  parts: RootParts,
  roots: readonly RootOrder[],
  latestNs: bigint | undefined,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  return batch(writeTar(entriesOf(parts, roots, latestNs, signal)));
}

async function* entriesOf(
  parts: RootParts,
  roots: readonly RootOrder[],
  latestNs: bigint | undefined,
  signal: AbortSignal,
): AsyncGenerator<TarEntry | { readonly header: TarHeader; readonly data: Uint8Array }, void, void> {
  for (const { image, attestations } of roots) {
    const folder = roots.length > 1 ? `${platformName(image.platform).replaceAll("/", "_")}/` : "";
    if (folder !== "") yield { header: tarHeader({ type: "directory", path: folder }), data: Buffer.alloc(0) };
    const subjects: Subject[] = [];
    const note = attestations.length === 0 ? undefined : (subject: Subject) => void subjects.push(subject);
    for await (const { header, data } of readStack(parts, image.stack, signal))
      yield { header: fitted(header, folder, latestNs), data: note === undefined ? data : hashed(header, data, note) };
    for (const attestation of attestations) {
      const bytes = Buffer.from(JSON.stringify(statement(attestation, subjects)));
      const path = `${folder}${attestationFile(attestation)}`;
      yield { header: tarHeader({ type: "file", path, sizeBytes: bytes.length }), data: bytes };
    }
  }
}

/** The data, whose digest is told once it is through. */
async function* hashed(
  { type, path }: TarHeader,
  data: AsyncIterable<Uint8Array>,
  note: (subject: Subject) => void,
): AsyncGenerator<Uint8Array, void, void> {
  const digester = new Digester();
  for await (const piece of data) {
    digester.update(piece);
    yield piece;
  }
  if (type === "file") note({ name: utf8Name(path), sha256: hexOf(digester.digest()) });
}

/** The files of a stack as tar sees them, or those of them that find(1) chooses by such an expression; sockets live with their programs and are left out. */
export async function* readStack(
  { layers, shim, mountPoint: tree }: RootParts,
  stack: Digest | undefined,
  signal: AbortSignal,
  expression?: string,
): AsyncGenerator<TarEntry, void, void> {
  if (stack === undefined) return;
  const mounts = layers.shownAt(stack, tree);
  const chosen = `find . -xdev ${expression} -print0 | sort -z | exec tar ${[...tarArgs, ...fromList].map((word) => `'${word}'`).join(" ")}`;
  const argv = expression === undefined ? ["tar", ...tarArgs, "."] : ["sh", "-c", chosen];
  await using program = await shim.run({ argv, tree, mounts, env: { LC_ALL: "C", TZ: "UTC" } }, signal);
  for await (const { header, data } of readTar(program.stdout)) {
    const path = header.path.replace(/^\.\//, "");
    if (path === "") continue;
    const linkPath = header.type === "hardlink" ? header.linkPath.replace(/^\.\//, "") : header.linkPath;
    yield { header: { ...header, path, linkPath }, data };
  }
  const end = await program.ended;
  signal.throwIfAborted();
  if (end.code !== 0 && end.code !== 1)
    throw new Fault("internal", `cannot read the root filesystem: ${program.stderr().trim().slice(0, 500)}`);
}

function fitted(header: TarHeader, folder: string, latestNs: bigint | undefined): TarHeader {
  return {
    ...header,
    path: `${folder}${header.path}`,
    linkPath: header.type === "hardlink" ? `${folder}${header.linkPath}` : header.linkPath,
    mtimeNs: latestNs !== undefined && header.mtimeNs > latestNs ? latestNs : header.mtimeNs,
    userName: "",
    groupName: "",
    pax: keptAttributes(header.pax),
  };
}

const tarArgs: readonly string[] = [
  "--create",
  "--file=-",
  "--format=pax",
  "--numeric-owner",
  "--sort=name",
  "--xattrs",
  "--xattrs-include=*",
  "--warning=no-file-ignored",
];

const fromList: readonly string[] = ["--null", "--verbatim-files-from", "--no-recursion", "--files-from=-"];
