import { toJson } from "./json.ts";

/** The `aux` of a push: what the tag names in the registry now. */
export interface PushResult {
  readonly Tag: string;
  readonly Digest: string;
  readonly Size: number;
}

/** One line of a pull, push, load or import as it travels: JSON and CRLF. */
export interface ProgressMessage {
  readonly stream?: string;
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  /** The bar as text, for old clients. */
  readonly progress?: string;
  readonly errorDetail?: { readonly code?: number; readonly message: string };
  /** The error as text, for old clients. */
  readonly error?: string;
  readonly aux?: unknown;
}

/** The line for a message. */
export function progressLine(message: ProgressMessage): string {
  return `${toJson(message)}\r\n`;
}

/** The last line of a stream that failed after its first byte; `code` is the exit code of a command that failed. */
export function errorLine(message: string, code?: number): string {
  return progressLine({ errorDetail: { ...(code !== undefined && { code }), message }, error: message });
}
