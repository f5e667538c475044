import { tarHeader, type TarHeader } from "#core/tar";
import { readTar } from "#core/tar-read";
import type { Shim } from "#host";
import type { SelectedItem } from "../files/files.ts";
import type { BaseFile, BaseFiles } from "./base-files.ts";
import { type CopyOrder, copyLayer } from "./copy-layer.ts";

/** An entry as a test writes it; what has data is a file, what ends in a slash a directory, what has a target a symlink. */
export type Given = Partial<TarHeader> & { readonly path: string; readonly data?: string | Uint8Array };

export function headerOf({ data, ...given }: Given): TarHeader {
  const type =
    given.type ?? (given.path.endsWith("/") ? "directory" : given.linkPath === undefined ? "file" : "symlink");
  const sizeBytes = type === "file" ? Buffer.from(data ?? "").length : 0;
  return tarHeader({ ...given, type, sizeBytes, path: given.path.replace(/\/$/, "") });
}

/** Files to copy onto, held in memory. */
export function baseOf(given: readonly Given[]): BaseFiles {
  const headers = new Map(given.map((each) => headerOf(each)).map((header) => [header.path, header]));
  const fileOf = ({ type, linkPath }: TarHeader): BaseFile => ({
    kind: type === "file" || type === "directory" || type === "symlink" ? type : "other",
    linkPath,
  });
  const some = <Value>(paths: readonly string[], value: (header: TarHeader) => Value): Map<string, Value> =>
    new Map(
      paths.flatMap((path) => {
        const header = headers.get(path);
        return header === undefined ? [] : [[path, value(header)]];
      }),
    );
  return {
    look: async (paths) => await Promise.resolve(some(paths, fileOf)),
    async list(folder) {
      const children = [...headers.values()].filter(({ path }) => parentOf(path) === folder && path !== "");
      return await Promise.resolve(new Map(children.map((child) => [nameOf(child.path), fileOf(child)])));
    },
    headers: async (paths) => await Promise.resolve(some(paths, (header) => header)),
  };
}

/** A thing to copy; the first entry is itself. */
export function itemOf(path: string, ...given: readonly Given[]): SelectedItem {
  const [self] = given.map(headerOf);
  return {
    path,
    name: nameOf(path),
    kind: self?.type === "directory" ? "directory" : "file",
    async *entries() {
      for (const each of given) {
        const bytes = Buffer.from(each.data ?? "");
        yield { header: headerOf(each), data: piecesOf(bytes) };
      }
      await Promise.resolve();
    },
  };
}

export const file = (path: string, data: string | Uint8Array, more: Partial<TarHeader> = {}): SelectedItem =>
  itemOf(path, { path: "", data, type: "file", ...more });

export const folder = (path: string, ...below: readonly Given[]): SelectedItem =>
  itemOf(path, { path: "", type: "directory", mode: 0o700, mtimeNs: 5_000_000_000n }, ...below);

const noShim = {} as Shim;

/** Runs a copy; answers its entries as lines: type, mode, owner, seconds, path, link, data. */
export async function copied(
  items: readonly SelectedItem[],
  target: string,
  more: Partial<CopyOrder> & { readonly base?: BaseFiles; readonly unpack?: boolean; readonly shim?: Shim } = {},
): Promise<string[]> {
  const { base = baseOf([]), unpack = false, shim = noShim, ...rest } = more;
  const sources = items.map((item) => ({ item, unpack }));
  const order = { sources, target, timeNs: 9_000_000_000n, ...rest };
  return await linesOf(copyLayer(order, { base, shim }, new AbortController().signal));
}

export async function linesOf(tar: AsyncIterable<Uint8Array>): Promise<string[]> {
  const lines: string[] = [];
  for await (const { header, data } of readTar(tar)) {
    const pieces: Uint8Array[] = [];
    for await (const piece of data) pieces.push(Buffer.from(piece));
    const { type, mode, uid, gid, mtimeNs, path, linkPath, pax } = header;
    const seconds = Number(mtimeNs) / 1e9;
    const line = `${type} ${mode.toString(8)} ${uid}:${gid} ${seconds} ${path}`;
    const link = linkPath === "" ? "" : ` -> ${linkPath}`;
    const attributes = [...pax].map(([keyword, value]) => ` ${keyword}=${value}`).join("");
    lines.push(`${line}${link}${attributes}${pieces.length === 0 ? "" : ` ${Buffer.concat(pieces).toString()}`}`);
  }
  return lines;
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  if (bytes.length > 0) yield await Promise.resolve(bytes);
}

function parentOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
