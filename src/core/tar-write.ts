import { flagOfType, ustarBounds, writeHeaderBlock } from "./tar-header.ts";
import { encodePaxRecords, encodePaxTime } from "./tar-pax.ts";
import { tarBlockBytes, tarHeader, type TarHeader } from "./tar.ts";

/** The header blocks of an entry: one ustar block, with a PAX extended header before it where ustar cannot hold the entry. Deterministic. */
export function encodeTarHeader(header: TarHeader): Buffer {
  const records = new Map<string, string>();
  const fitted = {
    ...header,
    path: fitName(records, "path", header.path, ustarBounds.pathBytes),
    linkPath: fitName(records, "linkpath", header.linkPath, ustarBounds.pathBytes),
    userName: fitName(records, "uname", header.userName, ustarBounds.nameBytes - 1),
    groupName: fitName(records, "gname", header.groupName, ustarBounds.nameBytes - 1),
    uid: fitNumber(records, "uid", header.uid, ustarBounds.id),
    gid: fitNumber(records, "gid", header.gid, ustarBounds.id),
    sizeBytes: fitNumber(records, "size", header.sizeBytes, ustarBounds.sizeBytes),
    mtimeNs: fitTime(records, header.mtimeNs),
  };
  for (const [keyword, value] of header.pax) records.set(keyword, value);
  const block = writeHeaderBlock(fitted, flagOfType[header.type]);
  if (records.size === 0) return block;
  const body = encodePaxRecords(records);
  const extended = tarHeader({ type: "file", path: "PaxHeaders/entry", sizeBytes: body.length });
  return Buffer.concat([writeHeaderBlock(extended, "x"), body, tarPadding(body.length), block]);
}

/** The zeros that follow data of that size up to the next block. */
export function tarPadding(sizeBytes: number): Buffer {
  return zeros.subarray(0, (tarBlockBytes - (sizeBytes % tarBlockBytes)) % tarBlockBytes);
}

/** The two zero blocks that end an archive. */
export const tarEnd: Buffer = Buffer.alloc(2 * tarBlockBytes);

/** The bytes of an archive with those entries; a file's data must have the size that its header says. */
export async function* writeTar(
  entries: AsyncIterable<{ readonly header: TarHeader; readonly data?: AsyncIterable<Uint8Array> | Uint8Array }>,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const { header, data } of entries) {
    yield encodeTarHeader(header);
    let sizeBytes = 0;
    for await (const piece of data instanceof Uint8Array ? [data] : (data ?? [])) {
      sizeBytes += piece.length;
      yield piece;
    }
    if (sizeBytes !== header.sizeBytes)
      throw new Error(`tar entry ${header.path} has ${sizeBytes} bytes, not ${header.sizeBytes}`);
    yield tarPadding(sizeBytes);
  }
  yield tarEnd;
}

const zeros = Buffer.alloc(tarBlockBytes);

function fitName(records: Map<string, string>, keyword: string, name: string, limitBytes: number): string {
  if (name.length <= limitBytes && !/[^\x01-\x7f]/.test(name)) return name;
  if (name.length <= limitBytes && !isUtf8(name)) return name; // PAX values should be UTF-8: bytes that are not stay in the block
  records.set(keyword, name);
  return name.slice(0, limitBytes);
}

function isUtf8(name: string): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(name, "latin1"));
    return true;
  } catch {
    return false;
  }
}

function fitNumber(records: Map<string, string>, keyword: string, value: number, limit: number): number {
  if (value <= limit) return value;
  records.set(keyword, String(value));
  return 0;
}

function fitTime(records: Map<string, string>, timeNs: bigint): bigint {
  const limit = BigInt(ustarBounds.sizeBytes) * 1_000_000_000n;
  if (timeNs >= 0n && timeNs <= limit && timeNs % 1_000_000_000n === 0n) return timeNs;
  records.set("mtime", encodePaxTime(timeNs));
  return timeNs < 0n || timeNs > limit ? 0n : timeNs;
}
