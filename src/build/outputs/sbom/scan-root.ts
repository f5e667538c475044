import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Digest } from "#core/digest";
import { utf8Name } from "#core/tar";
import type { TarEntry } from "#core/tar-read";
import { type RootParts, readStack } from "../root-tar.ts";
import { apkPackages, dpkgPackages, type FoundPackage, npmPackage, pythonPackage } from "./packages.ts";
import { rpmPackage } from "./rpm-header.ts";
import { tagged } from "./tagged-fields.ts";

/** The software that was found in a root filesystem. */
export interface ScannedRoot {
  readonly packages: readonly FoundPackage[];
  readonly distribution?: string;
  /** Databases that are there and are not read: of rpm before 4.16. */
  readonly unread: readonly string[];
}

/** Reads what package managers have noted in a stack: dpkg, apk, rpm (its SQLite form), npm and Python's. Files that are absurdly large are passed over, and told. */
export async function scanRoot(
  parts: RootParts & { readonly scratchFolder: string },
  stack: Digest | undefined,
  signal: AbortSignal,
): Promise<ScannedRoot> {
  const packages: FoundPackage[] = [];
  const unread: string[] = [];
  let distribution: string | undefined;
  for await (const { header, data } of readStack(parts, stack, signal, whereToLook)) {
    if (header.type !== "file") continue;
    const path = utf8Name(header.path);
    const reader = readerOf(path);
    if (reader === undefined) continue;
    if (reader === "unread" || header.sizeBytes > limitBytes) {
      unread.push(`/${path}`);
      continue;
    }
    const bytes = await whole(data);
    if (reader === "distribution") distribution ??= tagged(bytes.toString().replaceAll("=", ":")).get("ID");
    else if (reader === "rpm") packages.push(...(await rpmPackages(bytes, path, parts.scratchFolder, unread)));
    else packages.push(...reader(bytes.toString(), path));
  }
  const unquoted = distribution?.replaceAll(/["']/g, "");
  return {
    packages,
    unread,
    ...(unquoted !== undefined && /^[a-z0-9._-]+$/.test(unquoted) && { distribution: unquoted }),
  };
}

type Reader = (text: string, path: string) => readonly FoundPackage[];

const limitBytes = 64 << 20;
const mostRpms = 100_000;

/** For find(1); `readerOf` looks closer. */
const whereToLook = [
  "-type f '('",
  "-path './var/lib/dpkg/status' -o -path './var/lib/dpkg/status.d/*'",
  "-o -path './lib/apk/db/installed' -o -path './usr/lib/apk/db/installed'",
  "-o -path '*/rpm/rpmdb.sqlite' -o -path '*/rpm/Packages' -o -path '*/rpm/Packages.db'",
  "-o -path './etc/os-release' -o -path './usr/lib/os-release'",
  "-o -path '*/node_modules/*/package.json'",
  "-o -path '*.dist-info/METADATA' -o -path '*.egg-info/PKG-INFO'",
  "')'",
].join(" ");

function readerOf(path: string): Reader | "rpm" | "distribution" | "unread" | undefined {
  if (path === "var/lib/dpkg/status" || /^var\/lib\/dpkg\/status\.d\/[^/]+$/.test(path))
    return path.endsWith(".md5sums") ? undefined : dpkgPackages;
  if (path === "lib/apk/db/installed" || path === "usr/lib/apk/db/installed") return apkPackages;
  if (/^(?:var|usr)\/lib\/(?:sysimage\/)?rpm\/rpmdb\.sqlite$/.test(path)) return "rpm";
  if (/^(?:var|usr)\/lib\/(?:sysimage\/)?rpm\/Packages(?:\.db)?$/.test(path)) return "unread";
  if (path === "etc/os-release" || path === "usr/lib/os-release") return "distribution";
  if (/(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/@.][^/]*\/package\.json$/.test(path)) return one(npmPackage);
  if (/\.dist-info\/METADATA$|\.egg-info\/PKG-INFO$/.test(path)) return one(pythonPackage);
  return undefined;
}

function one(read: (text: string, path: string) => FoundPackage | undefined): Reader {
  return (text, path) => {
    const found = read(text, path);
    return found === undefined ? [] : [found];
  };
}

/**
 * The database is a stranger's. It is opened as a copy, and believed only if its table is what rpm makes: a view or a
 * column that is computed could keep us busy for ever.
 */
async function rpmPackages(
  bytes: Uint8Array,
  path: string,
  scratch: string,
  unread: string[],
): Promise<FoundPackage[]> {
  const folder = await mkdtemp(join(scratch, "rpm-"));
  try {
    const file = join(folder, "rpmdb.sqlite");
    await writeFile(file, bytes);
    const database = new DatabaseSync(file);
    try {
      database.exec("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;");
      const table = database.prepare("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'Packages'").get();
      if (typeof table?.["sql"] !== "string" || !rpmTable.test(table["sql"])) throw new Error("no table of rpm's");
      const packages: FoundPackage[] = [];
      for (const { blob } of database.prepare("SELECT blob FROM Packages LIMIT ?").iterate(mostRpms))
        if (blob instanceof Uint8Array) packages.push(...[rpmPackage(blob, path) ?? []].flat());
      return packages;
    } finally {
      database.close();
    }
  } catch {
    unread.push(`/${path}`);
    return [];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const rpmTable =
  /^CREATE TABLE ['"]?Packages['"]?\s*\(\s*hnum INTEGER PRIMARY KEY(?: AUTOINCREMENT)?,\s*blob BLOB NOT NULL\s*\)$/i;

async function whole(data: TarEntry["data"]): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of data) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}
