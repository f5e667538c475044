import type { StreamName } from "#host";

/** One line as a target takes it, without its newline. */
export interface TargetLine {
  readonly stream: StreamName;
  readonly timeNs: bigint;
  readonly bytes: Uint8Array;
  /** A line longer than 16 KiB comes in parts. */
  readonly part?: { readonly id: string; readonly ordinal: number; readonly last: boolean };
  /** The output ended here without a newline. */
  readonly unfinished?: true;
}

/** Where lines go. One interface for files, syslog and fluentd; the forwarder drives it. */
export interface LogDriver {
  /** For messages: `fluentd at tcp://127.0.0.1:24224`. */
  readonly target: string;
  /** Most bytes of lines in one `send`. */
  readonly batchBytes: number;
  /**
   * How long lines that were sent count as taken only if the connection lives on, as nothing but silence says so: 0 where the
   * target confirms (or where nothing ever could). When it breaks before, they are sent again.
   */
  readonly settleMs: number;
  readonly firstWaitMs: number;
  /** After so many attempts in a row what waits is dropped; undefined: never. */
  readonly maxRetries: number | undefined;
  /** `state` is what the last confirmed `send` answered ("" at first): a target that keeps what comes twice goes back to it. Rejects when the target is away. */
  open(state: string, signal: AbortSignal): Promise<LogConnection>;
}

export interface LogConnection {
  /** Resolves with the target's new state when it has taken the lines; rejects when it is gone. */
  send(lines: readonly TargetLine[], signal: AbortSignal): Promise<string>;
  /** Settles when the connection is over, by whomever; never rejects. */
  readonly over: Promise<void>;
  /** Says goodbye; resolves true when the target has taken all for certain, within a second. */
  end(): Promise<boolean>;
  destroy(): void;
}
