import { batch } from "#core/batch";
import { Fault, isFault } from "#core/fault";
import { type TarHeader, utf8Name } from "#core/tar";
import { readTar, type TarEntry, type TarLimits, usualTarLimits } from "#core/tar-read";
import { encodeTarHeader, tarEnd, tarPadding } from "#core/tar-write";
import { guardSpace, type Shim } from "#host";
import { noSpace } from "./disk-space.ts";

const limits: TarLimits = { ...usualTarLimits, entries: 1_000_000 };
const deepest = 1000;

/**
 * Unpacks a tar into a folder, all of it root's. tar runs with that folder as its world, so that no name and no link leads
 * out; devices are refused, and names that leave the root. Faults: `invalid`, `tooLarge`, and `exhausted` when less than
 * 256 MiB would stay free on the disk.
 */
export async function unpackArchive(
  shim: Shim,
  folder: string,
  archive: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  await using program = await shim.run({ argv: extract, tree: folder, env: { LC_ALL: "C", TZ: "UTC" } }, signal);
  const isRefused = !(await feed(program, guardSpace(batch(checkedEntries(archive)), folder), signal));
  for await (const _ of program.stdout);
  const { code } = await program.ended;
  signal.throwIfAborted();
  if (code !== 0 || isRefused) throw complaint(program.stderr());
}

/** Whether tar took everything. */
async function feed(
  program: Awaited<ReturnType<Shim["run"]>>,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<boolean> {
  for await (const piece of bytes)
    try {
      await program.write(piece);
    } catch (error) {
      signal.throwIfAborted();
      if (isFault(error, "cancelled")) throw error;
      return false; // tar has ended: its own words follow
    }
  await program.end().catch(() => undefined);
  return true;
}

const extract: readonly string[] = [
  "tar",
  "--extract",
  "--file=-",
  "--absolute-names", // every name is checked before it comes here; symlinks are to be made at once
  "--same-permissions",
  "--no-same-owner",
  "--numeric-owner",
  "--xattrs",
  "--xattrs-include=*",
  "--delay-directory-restore",
  "--warning=no-timestamp",
];

/** The archive anew, with nothing in it that has no place in a build. */
async function* checkedEntries(archive: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  for await (const entry of readTar(archive, limits)) {
    const header = checked(entry.header);
    if (header === undefined) continue;
    yield encodeTarHeader(header);
    yield* dataOf(entry, header);
  }
  yield tarEnd;
}

async function* dataOf({ data }: TarEntry, { sizeBytes }: TarHeader): AsyncGenerator<Uint8Array, void, void> {
  if (sizeBytes === 0) return;
  yield* data;
  yield tarPadding(sizeBytes);
}

/** Undefined: the root, which is there. */
function checked(header: TarHeader): TarHeader | undefined {
  const path = insidePath(header.path);
  if (header.type === "char" || header.type === "block")
    throw new Fault("invalid", `archive has a device: ${shown(header.path)}`, {
      remedy: "Make the archive without devices, or leave them out by .dockerignore.",
    });
  if (path === "") {
    if (header.type === "directory") return undefined;
    throw new Fault("invalid", `archive has an entry without a name`);
  }
  const linkPath = header.type === "hardlink" ? `./${insidePath(header.linkPath)}` : header.linkPath;
  return { ...header, path: `./${path}`, linkPath, uid: 0, gid: 0, userName: "", groupName: "", pax: kept(header.pax) };
}

/** The path from the root on; a leading slash means nothing. */
function insidePath(path: string): string {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (names.pop() === undefined)
        throw new Fault("invalid", `archive has a path that leaves its root: ${shown(path)}`);
    } else names.push(name);
  }
  if (names.length > deepest) throw new Fault("tooLarge", `archive has a path of more than ${deepest} folders`);
  return names.join("/");
}

function kept(pax: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map(
    [...pax].filter(([key]) => key === "SCHILY.xattr.security.capability" || key.startsWith("SCHILY.xattr.user.")),
  );
}

function complaint(stderr: string): Fault {
  if (/No space left on device|Disk quota exceeded/.test(stderr)) return noSpace();
  const text = stderr.replaceAll(/[^\x20-\x7e\n]/g, "?").trim();
  const words = text.split("\n").slice(0, 3).join("; ").slice(0, 500);
  return new Fault("invalid", `failed to unpack the build context: ${words || "tar failed"}`);
}

function shown(path: string): string {
  return JSON.stringify(utf8Name(path).slice(0, 200));
}
