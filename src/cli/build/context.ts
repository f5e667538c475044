import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isAbsolute, join, relative, resolve } from "node:path";
import { writeTar } from "#core/tar-write";
import type { Surroundings } from "../surroundings.ts";
import { contextTar } from "./context-tar.ts";

/** What a build works on, as it was named on the command line. */
export interface BuildContext {
  readonly place:
    | { readonly kind: "folder"; readonly path: string }
    | { readonly kind: "archive"; readonly bytes: AsyncIterable<Uint8Array> }
    | { readonly kind: "remote"; readonly url: string };
  /** Its path in the context; absent: the default. */
  readonly dockerfile?: string;
  /** The Dockerfile itself, where it is no file of the context. */
  readonly dockerfileText?: string;
}

/** Reads PATH, URL or `-`, and `--file`. Throws an Error in Docker's words. */
export async function readContext(around: Surroundings, given: string, file: string): Promise<BuildContext> {
  if (given === "-" && file === "-")
    throw new Error("invalid argument: can't use stdin for both build context and dockerfile");
  if (given === "-") return await stdinContext(around, file);
  if (isRemote(given)) {
    if (file === "-") return { place: { kind: "remote", url: given }, dockerfileText: await stdinText(around) };
    return { place: { kind: "remote", url: given }, ...(file !== "" && { dockerfile: file }) };
  }
  const path = resolve(given);
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts === undefined) throw new Error(`unable to prepare context: path ${JSON.stringify(given)} not found`);
  if (!facts.isDirectory()) throw new Error(`unable to prepare context: context must be a directory: ${path}`);
  return { place: { kind: "folder", path }, ...(await dockerfileOf(around, path, file)) };
}

/** Whether it names a context that the engine fetches. */
export function isRemote(text: string): boolean {
  return /^(?:https?|git|ssh):\/\/|^git@|^github\.com\//.test(text);
}

/** How the daemon knows a folder when it sees it. */
export function folderId(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev}:${ino}`;
}

/** The context as an archive. */
export function archiveOf({ place, dockerfile }: BuildContext): AsyncIterable<Uint8Array> | undefined {
  if (place.kind === "remote") return undefined;
  return place.kind === "archive" ? place.bytes : contextTar(place.path, dockerfile ?? "Dockerfile");
}

async function dockerfileOf(
  around: Surroundings,
  context: string,
  file: string,
): Promise<Pick<BuildContext, "dockerfile" | "dockerfileText">> {
  if (file === "") return {};
  if (file === "-") return { dockerfileText: await stdinText(around) };
  const inside = relative(context, resolve(file));
  if (inside !== "" && !inside.startsWith("..") && !isAbsolute(inside)) return { dockerfile: inside };
  try {
    return { dockerfileText: await readFile(file, "utf8") };
  } catch (error) {
    throw new Error(
      `unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat ${resolve(file)}: no such file or directory`,
      {
        cause: error,
      },
    );
  }
}

/** An archive, whatever it is packed with, or a Dockerfile alone. */
async function stdinContext(around: Surroundings, file: string): Promise<BuildContext> {
  if (around.stdin.isTTY)
    throw new Error("the build context is read from stdin, and that is a terminal: give a folder, or -");
  const pieces = around.stdin[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  let head = Buffer.alloc(0);
  while (head.length < 512) {
    const next = await pieces.next();
    if (next.done === true) break;
    head = Buffer.concat([head, Buffer.from(next.value)]);
  }
  const all = withHead(head, pieces);
  if (isArchive(head)) return { place: { kind: "archive", bytes: all }, ...(file !== "" && { dockerfile: file }) };
  return { place: { kind: "archive", bytes: emptyTar() }, dockerfileText: await textOf(all) };
}

async function* withHead(head: Uint8Array, pieces: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  yield head;
  for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) yield next.value;
}

/** By the marks of gzip, bzip2, xz, zstd, and of a tar's first header. */
function isArchive(head: Buffer): boolean {
  const marks = ["1f8b08", "425a68", "fd377a585a00", "28b52ffd"];
  return marks.some((mark) => head.toString("hex").startsWith(mark)) || head.toString("latin1", 257, 262) === "ustar";
}

function emptyTar(): AsyncIterable<Uint8Array> {
  return writeTar((async function* () {})());
}

async function stdinText(around: Surroundings): Promise<string> {
  return await textOf(around.stdin as AsyncIterable<Uint8Array>);
}

const mostDockerfileBytes = 1 << 20;

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of bytes) {
    pieces.push(piece);
    size += piece.length;
    if (size > mostDockerfileBytes) throw new Error("the Dockerfile is larger than 1 MiB");
  }
  return Buffer.concat(pieces).toString("utf8");
}

/** The Dockerfile's text where it can be had here, to show places in it. */
export async function dockerfileText({ place, dockerfile, dockerfileText }: BuildContext): Promise<string | undefined> {
  if (dockerfileText !== undefined) return dockerfileText;
  if (place.kind !== "folder") return undefined;
  return await readFile(join(place.path, dockerfile ?? "Dockerfile"), "utf8").catch(() => undefined);
}
