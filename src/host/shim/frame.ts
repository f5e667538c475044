import { Fault } from "#core/fault";

/** Frame types; the same numbers as in shim/protocol.h. */
export const frameType = {
  ping: 1,
  shutdown: 2,
  run: 3,
  monitor: 4,
  links: 10,
  start: 5,
  go: 6,
  ports: 9,
  stdin: 7,
  stdinEof: 8,
  attach: 16,
  exec: 17,
  resize: 18,
  signal: 19,
  closeStdin: 20,
  rotate: 21,
  status: 22,
  watch: 23,
  killExec: 24,
  pong: 64,
  ok: 65,
  failed: 66,
  ready: 67,
  prepared: 68,
  started: 69,
  stdout: 70,
  stderr: 71,
  eof: 72,
  gap: 73,
  exit: 74,
  deleted: 75,
  state: 76,
  oom: 77,
  warning: 78,
} as const;

/** Tags of fields; the same numbers as in shim/protocol.h. */
export const fieldTag = {
  argv: 1,
  env: 2,
  cwd: 3,
  timeLimitMs: 4,
  stdinPath: 5,
  stdoutPath: 6,
  mount: 7,
  tree: 8,
  treeFolder: 9,
  netns: 10,
  newNetns: 11,
  id: 12,
  dir: 13,
  logDir: 14,
  logMaxBytes: 15,
  logMaxFiles: 16,
  logMemory: 17,
  tty: 18,
  rows: 19,
  columns: 20,
  stdinOpen: 21,
  stdinOnce: 22,
  runtimeArgv: 23,
  deleteArgv: 24,
  pidFile: 25,
  console: 26,
  oomFile: 27,
  hold: 28,
  streams: 29,
  segment: 30,
  offset: 31,
  throttle: 32,
  discard: 33,
  signal: 34,
  pid: 35,
  version: 36,
  stage: 37,
  errno: 38,
  status: 39,
  text: 40,
  code: 41,
  timedOut: 42,
  oom: 43,
  timeNs: 44,
  startedNs: 45,
  state: 46,
  newUserns: 47,
  uidMap: 48,
  gidMap: 49,
  userns: 50,
  givesShim: 59,
  builtin: 60,
  names: 61,
  port: 62,
  index: 63,
  line: 70,
  each: 71,
} as const;

/** The name of a field. */
export type FieldName = keyof typeof fieldTag;

/** What a field may hold: text, a number (8 bytes), a yes or no (a number too), or a list (the tag repeated). Undefined leaves it out. */
export type FieldValue = string | number | bigint | boolean | readonly string[] | undefined;

/** A frame as it came: its type and payload. */
export interface Frame {
  readonly type: number;
  readonly payload: Uint8Array;
}

/** Version of the protocol that this client speaks. */
export const protocolVersion = 5;
/** Longest frame that either side accepts, without its length. */
export const maxFrameBytes = 1 << 20;
/** Most stdin bytes that go into one frame. */
export const maxInputBytes = 65_536;

/** A frame: length, type and payload in one buffer. */
export function encodeFrame(type: number, payload: Uint8Array = new Uint8Array()): Uint8Array {
  if (payload.length + 1 > maxFrameBytes)
    throw new Fault("tooLarge", `a request of ${payload.length} bytes is too large for the shim`);
  const frame = Buffer.allocUnsafe(5 + payload.length);
  frame.writeUInt32BE(payload.length + 1, 0);
  frame[4] = type;
  frame.set(payload, 5);
  return frame;
}

/** A frame whose payload is the named fields, in that order. */
export function encodeRequest(type: number, fields: Readonly<Partial<Record<FieldName, FieldValue>>> = {}): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const [name, value] of Object.entries(fields)) {
    const tag = fieldTag[name as FieldName];
    for (const bytes of bytesOfField(name, value)) {
      const head = Buffer.allocUnsafe(5);
      head[0] = tag;
      head.writeUInt32BE(bytes.length, 1);
      pieces.push(head, bytes);
    }
  }
  return encodeFrame(type, Buffer.concat(pieces));
}

/** The fields of a payload. */
export class Fields {
  readonly #values = new Map<number, Buffer>();

  /** Fault `internal` when the payload is not well formed. */
  constructor(payload: Uint8Array) {
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    for (let at = 0; at < bytes.length;) {
      if (bytes.length - at < 5) throw malformed();
      const end = at + 5 + bytes.readUInt32BE(at + 1);
      if (end > bytes.length) throw malformed();
      const tag = bytes.readUInt8(at);
      if (!this.#values.has(tag)) this.#values.set(tag, bytes.subarray(at + 5, end));
      at = end;
    }
  }

  text(name: FieldName): string {
    return this.#values.get(fieldTag[name])?.toString() ?? "";
  }

  /** The number, or undefined when the field is absent. */
  bigint(name: FieldName): bigint | undefined {
    const bytes = this.#values.get(fieldTag[name]);
    return bytes?.length === 8 ? bytes.readBigUInt64BE() : undefined;
  }

  number(name: FieldName): number | undefined {
    const value = this.bigint(name);
    return value === undefined ? undefined : Number(value);
  }
}

/** The time and bytes of a STDOUT or STDERR frame. */
export function decodeOutput(payload: Uint8Array): { readonly timeNs: bigint; readonly bytes: Uint8Array } {
  if (payload.length < 8) throw malformed();
  const view = new DataView(payload.buffer, payload.byteOffset, 8);
  return { timeNs: view.getBigUint64(0), bytes: payload.subarray(8) };
}

function bytesOfField(name: string, value: FieldValue): Uint8Array[] {
  if (value === undefined) return [];
  if (typeof value === "string") return [textBytes(name, value)];
  if (typeof value === "object") return value.map((item) => textBytes(name, item));
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return [bytes];
}

function textBytes(name: string, text: string): Uint8Array {
  // NUL ends a word for the kernel: anything behind it would be cut off silently.
  if (name !== "mount" && text.includes("\0")) throw new Fault("invalid", `${name} must not contain a NUL byte`);
  return Buffer.from(text);
}

function malformed(): Fault {
  return new Fault("internal", "the shim sent a frame that is not well formed");
}
