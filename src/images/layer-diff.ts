import { Fault } from "#core/fault";
import { tarHeader, type TarHeader } from "#core/tar";
import { readTar, type TarLimits, usualTarLimits } from "#core/tar-read";
import { encodeTarHeader, tarEnd, tarPadding } from "#core/tar-write";

const limits: TarLimits = { ...usualTarLimits, entries: 1_000_000 };
const whiteoutPrefix = ".wh.";
const attributePrefix = "SCHILY.xattr.";
const opaqueMark = `${attributePrefix}trusted.overlay.opaque`;

/**
 * Turns the tar of a writable layer from the form that overlayfs writes into OCI's (image-spec layer.md): 0/0 character
 * devices become `.wh.x`, the attribute `trusted.overlay.opaque` becomes `.wh..wh..opq`. The way back is `LayerTranslation`.
 * Attributes that belong to this machine are dropped.
 */
export class LayerDiff {
  readonly #latestNs: bigint | undefined;
  /** Bytes of the files' data so far. */
  sizeBytes = 0;
  /** Whether the folder it was read from is just what unpacking the layer would make, as far as an archive of it can tell. */
  isFaithful = true;
  /** Whether it has changed anything at all, the root's own looks aside. */
  isEmpty = true;
  /** The kernel makes many whiteouts as links of one device: whoever links to one is another. */
  readonly #whiteouts = new Set<string>();

  /** Times after `latestSeconds` become that. */
  constructor({ latestSeconds }: { readonly latestSeconds?: number } = {}) {
    this.#latestNs = latestSeconds === undefined ? undefined : BigInt(latestSeconds) * 1_000_000_000n;
  }

  /** The layer's tar. Faults as `readTar`'s, and `invalid` for names that no layer can hold. */
  async *translate(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    for await (const { header, data } of readTar(source, limits)) {
      const path = header.path.replace(/^\.\//, "");
      const blocks = this.#blocksOf(header, path);
      if (path !== "" && blocks.length > 0) this.isEmpty = false;
      for (const block of blocks) yield encodeTarHeader(block);
      if (header.type !== "file") continue;
      yield* data;
      yield tarPadding(header.sizeBytes);
      this.sizeBytes += header.sizeBytes;
    }
    yield tarEnd;
  }

  #blocksOf(found: TarHeader, path: string): TarHeader[] {
    const header = this.#clamped(found);
    if (this.#isWhiteout(header, path)) {
      // Of what lies below every container, not in its image.
      if (path === ".dockerenv") this.isFaithful = false;
      return path === ".dockerenv"
        ? []
        : [tarHeader({ type: "file", path: withPrefix(path), mtimeNs: header.mtimeNs })];
    }
    checkName(path);
    if (![...header.pax].every(isFaithful)) this.isFaithful = false;
    const entry: TarHeader = {
      ...header,
      path: path === "" ? "./" : path,
      linkPath: header.type === "hardlink" ? header.linkPath.replace(/^\.\//, "") : header.linkPath,
      userName: "",
      groupName: "",
      pax: new Map([...header.pax].filter(([keyword]) => isKept(keyword))),
    };
    if (header.pax.get(opaqueMark) !== "y") return [entry];
    const mark = tarHeader({ type: "file", path: `${path.replace(/\/$/, "")}/.wh..wh..opq`, mtimeNs: header.mtimeNs });
    return [entry, mark];
  }

  #clamped(header: TarHeader): TarHeader {
    if (this.#latestNs === undefined || header.mtimeNs <= this.#latestNs) return header;
    this.isFaithful = false;
    return { ...header, mtimeNs: this.#latestNs };
  }

  #isWhiteout(header: TarHeader, path: string): boolean {
    if (header.type === "hardlink") return this.#whiteouts.has(header.linkPath.replace(/^\.\//, ""));
    if (header.type !== "char" || header.major !== 0 || header.minor !== 0) return false;
    this.#whiteouts.add(path);
    return true;
  }
}

function withPrefix(path: string): string {
  const slash = path.lastIndexOf("/") + 1;
  return `${path.slice(0, slash)}${whiteoutPrefix}${path.slice(slash)}`;
}

function checkName(path: string): void {
  const name = path.replace(/\/$/, "").split("/").at(-1) ?? "";
  if (!name.startsWith(whiteoutPrefix)) return;
  throw new Fault(
    "invalid",
    `cannot commit the file ${JSON.stringify(path.slice(0, 200))}: in an image its name means a removed file`,
    {
      remedy: "Rename or remove it first.",
    },
  );
}

/** Whether an attribute is kept, or means the same in a layer's folder as if it were not there. */
function isFaithful([keyword, value]: readonly [string, string]): boolean {
  if (!keyword.startsWith(attributePrefix) || isKept(keyword) || harmless.has(keyword)) return true;
  return keyword === opaqueMark && value === "y";
}

/** overlayfs' notes of where a copy came from, which count in an upper layer alone; and labels that every file of the machine has. */
const harmless: ReadonlySet<string> = new Set(
  [
    "trusted.overlay.origin",
    "trusted.overlay.impure",
    "trusted.overlay.nlink",
    "trusted.overlay.uuid",
    "security.selinux",
  ].map((name) => `${attributePrefix}${name}`),
);

/** Extended attributes that mean something elsewhere: labels of security modules and overlayfs's own do not. */
function isKept(keyword: string): boolean {
  if (!keyword.startsWith(attributePrefix)) return false;
  const name = keyword.slice(attributePrefix.length);
  return !name.startsWith("trusted.") && (!name.startsWith("security.") || name === "security.capability");
}
