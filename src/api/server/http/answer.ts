import type { Fault } from "#core/fault";
import type { RawStream } from "./raw-stream.ts";

/** What a route answers; the connection turns it into bytes. */
export type Answer =
  | { readonly kind: "empty"; readonly status: 200 | 201 | 204 | 304; readonly headers?: Headers }
  | { readonly kind: "json"; readonly status: 200 | 201; readonly value: unknown; readonly headers?: Headers }
  | { readonly kind: "text"; readonly status: 200; readonly text: string; readonly headers?: Headers }
  | ErrorAnswer
  | StreamAnswer
  | HijackAnswer;

/** A failure before the first byte. */
export interface ErrorAnswer {
  readonly kind: "error";
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** Whether the connection ends with it and the body has no length, as failures of attach have it. */
  readonly close: boolean;
}

/** A body that comes in pieces. */
export interface StreamAnswer {
  readonly kind: "stream";
  readonly contentType: string;
  readonly headers?: Headers;
  readonly body: AsyncIterable<Uint8Array | string>;
  /** Whether the head goes out at once (`/wait`, `/events`, `/logs`) or with the first piece, so that an early failure still has its own status. */
  readonly headAtOnce: boolean;
  /** The piece that tells of a failure after the head; without it the connection is cut, which clients see as a failure. */
  readonly lastWords?: (fault: Fault) => Uint8Array | string;
}

/** The connection becomes a raw stream (attach, exec start) and ends with it. */
export interface HijackAnswer {
  readonly kind: "hijack";
  /** Absent: `serve` writes the whole answer, its head too. */
  readonly contentType?: string;
  /** Serves the stream to its end; what it throws has been told to the client by itself where that is possible. */
  readonly serve: (stream: RawStream) => Promise<void>;
}

type Headers = Readonly<Record<string, string>>;
