import { Fault } from "#core/fault";
import type { Transport } from "./packets.ts";

/** One message of the query protocol. */
export interface MessageRecord {
  readonly transport: Transport;
  /** The monitor's own, given back with the answer. */
  readonly token: number;
  readonly message: Buffer;
}

const magic = Buffer.from("SLN1");
const headBytes = 8;
const transports: readonly Transport[] = ["udp", "tcp"];

/**
 * Takes the bytes of a monitor's connection apart: `SLN1`, a byte of length, the container's id, then records: length of the message
 * (u16), transport (u8: 0 UDP, 1 TCP), zero (u8), token (u32), message; numbers are big-endian. Faults `invalid` for anything else.
 */
export class RecordReader {
  #bytes: Buffer = Buffer.alloc(0);
  #containerId: string | undefined;

  /** Known when the greeting is whole. */
  get containerId(): string | undefined {
    return this.#containerId;
  }

  /** How much lies here unread. */
  get bufferedBytes(): number {
    return this.#bytes.length;
  }

  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
  }

  /** The next record, if it is whole. Its message is a copy: it may be kept for seconds. */
  next(): MessageRecord | undefined {
    if (this.#containerId === undefined && !this.#readGreeting()) return undefined;
    if (this.#bytes.length < headBytes) return undefined;
    const length = this.#bytes.readUInt16BE(0);
    const transport = transports[this.#bytes.readUInt8(2)];
    if (length === 0 || transport === undefined || this.#bytes.readUInt8(3) !== 0) {
      throw new Fault("invalid", "a record of a monitor with a bad head");
    }
    if (this.#bytes.length < headBytes + length) return undefined;
    const token = this.#bytes.readUInt32BE(4);
    const message = Buffer.from(this.#bytes.subarray(headBytes, headBytes + length));
    this.#bytes = this.#bytes.subarray(headBytes + length);
    return { transport, token, message };
  }

  #readGreeting(): boolean {
    const start = this.#bytes.subarray(0, magic.length);
    if (!start.equals(magic.subarray(0, start.length))) throw new Fault("invalid", "this is no monitor");
    const length = this.#bytes[magic.length];
    if (length === undefined) return false;
    const end = magic.length + 1 + length;
    if (length > 0 && this.#bytes.length < end) return false;
    const id = this.#bytes.toString("latin1", magic.length + 1, end);
    if (!/^[\w.-]+$/.test(id)) throw new Fault("invalid", "a monitor with a bad container id");
    this.#containerId = id;
    this.#bytes = this.#bytes.subarray(end);
    return true;
  }
}

/** The bytes of a record. */
export function encodeRecord({ transport, token, message }: MessageRecord): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes + message.length);
  bytes.writeUInt16BE(message.length, 0);
  bytes.writeUInt8(transports.indexOf(transport), 2);
  bytes.writeUInt8(0, 3);
  bytes.writeUInt32BE(token, 4);
  message.copy(bytes, headBytes);
  return bytes;
}
