import { createHash } from "node:crypto";
import { setImmediate as pause } from "node:timers/promises";
import type { Digest } from "#core/digest";
import { Fault } from "#core/fault";
import { type TarHeader, tarHeader } from "#core/tar";
import type { TarEntry } from "#core/tar-read";
import { textOf } from "./byte-path.ts";
import type { FileDigests } from "./file-digests.ts";
import type { FileFacts } from "./file-facts.ts";
import type { Selected, SelectedItem } from "./files.ts";
import { ContentReader } from "./read-contents.ts";
import type { TreeProgram } from "./tree-program.ts";
import { joined, type WalkedFile } from "./tree-walk.ts";

/** What is asked of the tree that things were chosen in. */
export interface SelectedFrom {
  /** A program that looks into the tree. */
  start(signal: AbortSignal): Promise<TreeProgram>;
  readonly digests: FileDigests;
  /** `root`: all is root's, whoever owns it in the tree. */
  readonly owners: "root" | "kept";
}

/** One source that was chosen. */
export interface ChosenItem {
  /** In the tree, as latin1. */
  readonly path: string;
  /** Text. */
  readonly name: string;
  /** A pattern found it: its name is no part of the instruction's words. */
  readonly found: boolean;
  /** Itself and what is below, parents first; the first one has an empty path. */
  readonly files: readonly WalkedFile[];
}

const partsLimit = 5000;
/** So many files are done at once before others get their turn. */
const turn = 500;

/** What was chosen, to be digested and read. */
export function selectedOf(from: SelectedFrom, items: readonly ChosenItem[]): Selected {
  let digest: Promise<Digest> | undefined;
  const digestOnce = async (signal: AbortSignal): Promise<Digest> => {
    digest ??= digestAll(from, items, signal);
    try {
      return await digest;
    } catch (error) {
      digest = undefined; // the next who asks has his own signal
      throw error;
    }
  };
  return {
    items: items.map((item) => selectedItem(from, item)),
    digest: digestOnce,
    async parts(signal) {
      const count = items.reduce((sum, item) => sum + item.files.length, 0);
      if (count > partsLimit) return undefined;
      await digestOnce(signal);
      const parts = items.flatMap((item) =>
        item.files.map((file): [string, string] => [
          textOf(joined(item.path, file.path)),
          createHash("sha256").update(wordsOf(file, from.owners)).digest("hex").slice(0, 16),
        ]),
      );
      return new Map(parts);
    },
  };
}

function selectedItem(from: SelectedFrom, item: ChosenItem): SelectedItem {
  const type = item.files[0]?.facts.type;
  return {
    path: textOf(item.path),
    name: item.name,
    kind: type === "file" || type === "directory" ? type : "other",
    entries: (signal) => entriesOf(from, item, signal),
  };
}

async function digestAll(from: SelectedFrom, items: readonly ChosenItem[], signal: AbortSignal): Promise<Digest> {
  await readContents(from, items, signal);
  const hash = createHash("sha256").update("slipway files 1\0");
  let count = 0;
  for (const item of items) {
    hash.update(item.found ? `item\0${item.name}\0` : "item\0\0");
    for (const file of item.files) {
      hash.update(wordsOf(file, from.owners));
      if (++count % turn === 0) await pause(undefined, { signal });
    }
  }
  return `sha256:${hash.digest("hex")}` as Digest;
}

/** Puts the digest of every file's bytes in place; reads those that are not known. */
async function readContents(from: SelectedFrom, items: readonly ChosenItem[], signal: AbortSignal): Promise<void> {
  const unknown = items.flatMap((item) =>
    item.files
      .filter((file) => file.facts.type === "file" && file.content === undefined)
      .map((file) => ({ path: joined(item.path, file.path), facts: file.facts, file })),
  );
  await from.digests.recall(unknown.map(({ file }) => file));
  const wanted = unknown.filter(({ file }) => file.content === undefined);
  if (wanted.length === 0) return;
  const readNs = BigInt(Date.now()) * 1_000_000n; // the kernel's clock of this moment, as files have their times of it
  await using program = await from.start(signal);
  const reader = new ContentReader(program, wanted);
  for (const { file } of wanted) {
    const content = await (await reader.next())?.finish();
    if (content !== undefined) file.content = content;
  }
  await from.digests.remember(
    wanted.map(({ file }) => file),
    readNs,
  );
}

/** What a file gives to the digest. The folder that is a source itself gives nothing but being one: its own mode is not copied. */
function wordsOf({ path, facts, content = "" }: WalkedFile, owners: "root" | "kept"): string {
  if (path === "" && facts.type === "directory") return "directory\0";
  const owner = owners === "root" ? "0 0" : `${facts.uid} ${facts.gid}`;
  const device = facts.type === "char" || facts.type === "block" ? ` ${facts.major} ${facts.minor}` : "";
  const attributes = attributesOf(facts, owners)
    .map(([name, value]) => `${name}\0${value.length}\0${value}`)
    .join("");
  // A symlink's mode is the file system's business.
  const mode = facts.type === "symlink" ? "" : facts.mode.toString(8);
  return `${path}\0${facts.type} ${mode} ${owner}${device} ${content}\0${facts.target}\0${attributes}\0`;
}

/** The entries with their bytes. A file with several names comes once; its other names are hard links to the first. */
async function* entriesOf(
  from: SelectedFrom,
  item: ChosenItem,
  signal: AbortSignal,
): AsyncGenerator<TarEntry, void, void> {
  const links = firstNames(item.files);
  const withBytes = item.files
    .filter((file) => file.facts.type === "file" && links.get(file) === undefined)
    .map((file) => ({ path: joined(item.path, file.path), facts: file.facts }));
  await using program = withBytes.length === 0 ? undefined : await from.start(signal);
  const reader = program === undefined ? undefined : new ContentReader(program, withBytes);
  for (const file of item.files) {
    const link = links.get(file);
    const header = headerOf(file, from.owners, link);
    if (file.facts.type !== "file" || link !== undefined) {
      yield { header, data: nothing };
      continue;
    }
    const bytes = await reader?.next();
    if (bytes === undefined) throw new Error("a file without bytes");
    yield { header, data: bytes };
    const content = await bytes.finish();
    if (file.content !== undefined && file.content !== content) throw changed(joined(item.path, file.path));
  }
}

/** The first name of each file that has several here, by its further ones. */
function firstNames(files: readonly WalkedFile[]): ReadonlyMap<WalkedFile, string> {
  const first = new Map<string, string>();
  const links = new Map<WalkedFile, string>();
  for (const file of files) {
    if (file.facts.type !== "file" || file.facts.links < 2) continue;
    const known = first.get(file.facts.inode);
    if (known === undefined) first.set(file.facts.inode, file.path);
    else links.set(file, known);
  }
  return links;
}

function headerOf({ path, facts }: WalkedFile, owners: "root" | "kept", link: string | undefined): TarHeader {
  return tarHeader({
    type: link === undefined ? typeOf(facts) : "hardlink",
    path,
    mode: facts.mode,
    uid: owners === "root" ? 0 : facts.uid,
    gid: owners === "root" ? 0 : facts.gid,
    sizeBytes: link === undefined ? facts.sizeBytes : 0,
    mtimeNs: facts.mtimeNs,
    linkPath: link ?? facts.target,
    major: facts.major,
    minor: facts.minor,
    pax: new Map(attributesOf(facts, owners).map(([name, value]) => [`SCHILY.xattr.${name}`, value])),
  });
}

/** Access lists name owners too: where all is root's, there are none. */
function attributesOf({ attributes }: FileFacts, owners: "root" | "kept"): (readonly [string, string])[] {
  return [...attributes].filter(([name]) => owners === "kept" || !name.startsWith("system."));
}

function typeOf({ type }: FileFacts): TarHeader["type"] {
  if (type === "socket") throw new Error("a socket was chosen");
  return type;
}

const nothing: AsyncIterable<Uint8Array> = {
  async *[Symbol.asyncIterator]() {
    // only files have bytes
  },
};

function changed(path: string): Fault {
  return new Fault("conflict", `/${textOf(path)} was changed while it was copied`, { remedy: "Build again." });
}
