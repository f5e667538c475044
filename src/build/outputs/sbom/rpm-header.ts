import type { FoundPackage } from "./packages.ts";

/** Tags of a package's header (rpm's rpmtag.h). */
const tags = { name: 1000, version: 1001, release: 1002, epoch: 1003, license: 1014, architecture: 1022 } as const;
const types = { int32: 4, string: 6, i18n: 9 } as const;

/**
 * Reads a header as rpm's database holds it (rpm.org, "RPM V4 header"): the counts of index entries and of data bytes, the
 * entries of 16 bytes each, the data. Undefined for what is no such header.
 */
export function rpmPackage(blob: Uint8Array, foundIn: string): FoundPackage | undefined {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  if (bytes.length < 8) return undefined;
  const count = bytes.readUInt32BE(0);
  const dataStart = 8 + 16 * count;
  if (count > 65_536 || dataStart + bytes.readUInt32BE(4) > bytes.length) return undefined;
  const values = new Map<number, string>();
  for (let at = 8; at < dataStart; at += 16) {
    const value = valueAt(bytes, bytes.readUInt32BE(at + 4), dataStart + bytes.readUInt32BE(at + 8));
    if (value !== undefined) values.set(bytes.readUInt32BE(at), value);
  }
  const [name, version, release] = [values.get(tags.name), values.get(tags.version), values.get(tags.release)];
  // The public keys that signatures are checked with are kept as packages too.
  if (name === undefined || version === undefined || name === "gpg-pubkey") return undefined;
  const epoch = values.get(tags.epoch);
  return {
    kind: "rpm",
    name,
    version: `${epoch === undefined ? "" : `${epoch}:`}${version}${release === undefined ? "" : `-${release}`}`,
    license: values.get(tags.license) ?? "",
    architecture: values.get(tags.architecture) ?? "",
    foundIn,
  };
}

function valueAt(bytes: Buffer, type: number, at: number): string | undefined {
  if (type === types.int32) return at + 4 <= bytes.length ? String(bytes.readUInt32BE(at)) : undefined;
  if (type !== types.string && type !== types.i18n) return undefined;
  const end = bytes.indexOf(0, at);
  return end < 0 ? undefined : bytes.toString("utf8", at, end);
}
