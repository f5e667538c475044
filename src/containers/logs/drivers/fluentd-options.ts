import { Fault } from "#core/fault";
import { parseSize } from "#core/size";
import { parseBoolean, parseDurationMs, parseHostPort } from "./option-values.ts";
import type { StreamAddress } from "./stream-connection.ts";

/** The fluentd driver's settings, by Docker's option names. */
export interface FluentdOptions {
  readonly address: StreamAddress;
  /** False only when it was asked for: then the container does not start without the target. */
  readonly async: boolean;
  /** Most bytes of one message to the target. */
  readonly batchBytes: number;
  readonly retryWaitMs: number;
  /** Undefined: for ever. */
  readonly maxRetries: number | undefined;
  readonly subSecondPrecision: boolean;
  readonly requestAck: boolean;
  /** 0: none. */
  readonly writeTimeoutMs: number;
}

/** Faults: `invalid` in Docker's words. */
export function readFluentdOptions(options: Readonly<Record<string, string>>): FluentdOptions {
  const { "fluentd-async": asynchronous, "fluentd-async-connect": asyncConnect } = options;
  if (isGiven(asynchronous) && isGiven(asyncConnect)) {
    throw new Fault("invalid", "conflicting options: cannot specify both 'fluentd-async' and 'fluentd-async-connect'");
  }
  const flag = (name: string, initial: boolean): boolean =>
    isGiven(options[name]) ? parseBoolean(name, options[name]) : initial;
  const interval = isGiven(options["fluentd-async-reconnect-interval"])
    ? parseDurationMs("fluentd-async-reconnect-interval", options["fluentd-async-reconnect-interval"])
    : 0;
  if (interval !== 0 && (interval < 100 || interval > 10_000)) {
    throw new Fault(
      "invalid",
      "invalid value for fluentd-async-reconnect-interval: value must be between 100ms and 10s",
    );
  }
  return {
    address: readAddress(options["fluentd-address"] ?? ""),
    async: flag("fluentd-async", true) && flag("fluentd-async-connect", true),
    batchBytes: readBufferLimit(options["fluentd-buffer-limit"]),
    retryWaitMs: isGiven(options["fluentd-retry-wait"])
      ? parseDurationMs("fluentd-retry-wait", options["fluentd-retry-wait"])
      : defaultRetryWaitMs,
    maxRetries: readMaxRetries(options["fluentd-max-retries"]),
    subSecondPrecision: flag("fluentd-sub-second-precision", false),
    requestAck: flag("fluentd-request-ack", false),
    writeTimeoutMs: isGiven(options["fluentd-write-timeout"])
      ? parseDurationMs("fluentd-write-timeout", options["fluentd-write-timeout"])
      : 0,
  };
}

const defaultRetryWaitMs = 1000;
const defaultPort = 24_224;
const mostBatchBytes = 1_048_576;

function readAddress(text: string): StreamAddress {
  const [, scheme, rest = ""] = /^(?:([a-z0-9+]+):\/\/)?(.*)$/s.exec(text) ?? [];
  const wrong = (reason: string): Fault =>
    new Fault("invalid", `invalid fluentd-address ${text.slice(0, 200)}: ${reason}`);
  if (scheme === "unix") {
    if (!rest.startsWith("/")) throw wrong("path is empty");
    return { kind: "unix", path: rest };
  }
  if (scheme !== undefined && scheme !== "tcp" && scheme !== "tls") throw wrong(`unsupported scheme: '${scheme}'`);
  if (rest.includes("/")) throw wrong(`should not contain a path element`);
  const place = parseHostPort(rest, defaultPort);
  return scheme === "tls" ? { kind: "tls", ...place, verify: true } : { kind: "tcp", ...place };
}

/** Docker's buffer is memory; ours is the log on disk, and this bounds one message. */
function readBufferLimit(text: string | undefined): number {
  if (!isGiven(text)) return mostBatchBytes;
  const bytes = parseSize(text);
  if (bytes === undefined) throw new Fault("invalid", `invalid size: '${text.slice(0, 100)}'`);
  return Math.min(Math.max(bytes, 1), mostBatchBytes);
}

function readMaxRetries(text: string | undefined): number | undefined {
  if (!isGiven(text)) return undefined;
  if (!/^\d{1,15}$/.test(text)) {
    throw new Fault("invalid", `strconv.ParseUint: parsing ${JSON.stringify(text.slice(0, 100))}: invalid syntax`);
  }
  return Number(text);
}

function isGiven(text: string | undefined): text is string {
  return text !== undefined && text !== "";
}
