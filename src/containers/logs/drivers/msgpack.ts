/** MessagePack, as far as fluentd's forward protocol needs it: https://github.com/msgpack/msgpack/blob/master/spec.md. */
export type Packable = string | number | Uint8Array | EventTime | readonly Packable[] | ReadonlyMap<string, Packable>;

/** Fluentd's time with nanoseconds: extension type 0 of eight bytes. */
export class EventTime {
  readonly timeNs: bigint;

  constructor(timeNs: bigint) {
    this.timeNs = timeNs;
  }
}

/** Encodes a value. Bytes are written as a string (the "raw" of the first MessagePack), whatever they hold; numbers are whole and not negative. */
export function pack(value: Packable): Buffer {
  const parts: Uint8Array[] = [];
  put(value, parts);
  return Buffer.concat(parts);
}

function put(value: Packable, parts: Uint8Array[]): void {
  if (typeof value === "string") return put(Buffer.from(value), parts);
  if (typeof value === "number") return void parts.push(wholeNumber(value));
  if (value instanceof Uint8Array) return void parts.push(head(value.length, 0xa0, 31, [0xd9, 0xda, 0xdb]), value);
  if (value instanceof EventTime) return void parts.push(eventTime(value.timeNs));
  if (value instanceof Map) {
    parts.push(head(value.size, 0x80, 15, [undefined, 0xde, 0xdf]));
    for (const [key, item] of value as ReadonlyMap<string, Packable>) {
      put(key, parts);
      put(item, parts);
    }
    return;
  }
  const items = value as readonly Packable[];
  parts.push(head(items.length, 0x90, 15, [undefined, 0xdc, 0xdd]));
  for (const item of items) put(item, parts);
}

/** A type and a length, in the shortest of its forms: in the first byte, or behind it in one, two or four bytes. */
function head(length: number, short: number, most: number, forms: readonly (number | undefined)[]): Buffer {
  const [byte, two = 0, four = 0] = forms;
  if (length <= most) return Buffer.from([short | length]);
  if (byte !== undefined && length <= 0xff) return Buffer.from([byte, length]);
  if (length <= 0xffff) return sized(two, 2, length);
  return sized(four, 4, length);
}

function wholeNumber(value: number): Buffer {
  if (value <= 0x7f) return Buffer.from([value]);
  if (value <= 0xff) return Buffer.from([0xcc, value]);
  if (value <= 0xffff) return sized(0xcd, 2, value);
  if (value <= 0xffff_ffff) return sized(0xce, 4, value);
  const bytes = Buffer.alloc(9, 0xcf);
  bytes.writeBigUInt64BE(BigInt(value), 1);
  return bytes;
}

function sized(type: number, width: 2 | 4, value: number): Buffer {
  const bytes = Buffer.alloc(1 + width, type);
  bytes.writeUIntBE(value, 1, width);
  return bytes;
}

function eventTime(timeNs: bigint): Buffer {
  const bytes = Buffer.from([0xd7, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  bytes.writeUInt32BE(Number((timeNs / 1_000_000_000n) & 0xffff_ffffn), 2);
  bytes.writeUInt32BE(Number(timeNs % 1_000_000_000n), 6);
  return bytes;
}
