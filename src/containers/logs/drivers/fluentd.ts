import { randomBytes } from "node:crypto";
import type { FluentdOptions } from "./fluentd-options.ts";
import type { LogConnection, LogDriver, TargetLine } from "./log-driver.ts";
import { EventTime, type Packable, pack } from "./msgpack.ts";
import { showAddress, StreamConnection } from "./stream-connection.ts";

/** What stands in every record of one container. */
export interface FluentdSource {
  readonly tag: string;
  readonly containerId: string;
  /** With the slash, as Docker has it. */
  readonly containerName: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Without acknowledgements, what was written in the last second before a connection broke is sent again. */
const settleMs = 1000;
/** A target that does not acknowledge in this time is taken for gone: fluentd's own clients wait as long. */
const ackTimeMs = 190_000;

/** The driver for fluentd and fluent-bit: the forward protocol (https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1). */
export function fluentdDriver(options: FluentdOptions, source: FluentdSource): LogDriver {
  return {
    target: `fluentd at ${showAddress(options.address)}`,
    batchBytes: options.batchBytes,
    settleMs: options.requestAck ? 0 : settleMs,
    firstWaitMs: options.retryWaitMs,
    maxRetries: options.maxRetries,
    open: async (_state, signal) => await openFluentd(options, source, signal),
  };
}

async function openFluentd(
  options: FluentdOptions,
  source: FluentdSource,
  signal: AbortSignal,
): Promise<LogConnection> {
  let waiting:
    | { readonly chunk: string; readonly resolve: () => void; readonly reject: (error: Error) => void }
    | undefined;
  let answer = Buffer.alloc(0);
  const connection = await StreamConnection.open(options.address, signal, (bytes) => {
    // The answer is a map {ack: chunk}: the chunk's own text in it is enough to know it by.
    answer = Buffer.concat([answer, bytes]).subarray(-longestAnswerBytes);
    if (waiting !== undefined && answer.includes(waiting.chunk)) waiting.resolve();
  });
  void connection.over.then(() => waiting?.reject(connection.failure()));
  return {
    over: connection.over,
    send: async (lines) => {
      if (!options.requestAck) {
        await connection.write(message(source, options, lines), options.writeTimeoutMs);
        return "";
      }
      const chunk = randomBytes(16).toString("base64");
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      promise.catch(() => {}); // also when the write fails first
      const patience = setTimeout(() => reject(new Error("no acknowledgement")), ackTimeMs);
      answer = Buffer.alloc(0);
      waiting = { chunk, resolve, reject };
      try {
        await connection.write(message(source, options, lines, chunk), options.writeTimeoutMs);
        await promise;
      } finally {
        clearTimeout(patience);
        waiting = undefined;
      }
      return "";
    },
    end: async () => await connection.end(),
    destroy: () => connection.destroy(),
  };
}

const longestAnswerBytes = 4096;

/** `[tag, [[time, record], …], {size, chunk}]`: the forward mode, many records in one message. */
export function message(
  source: FluentdSource,
  { subSecondPrecision }: Pick<FluentdOptions, "subSecondPrecision">,
  lines: readonly TargetLine[],
  chunk?: string,
): Buffer {
  const entries = lines.map((line): Packable => {
    const time = subSecondPrecision ? new EventTime(line.timeNs) : Number(line.timeNs / 1_000_000_000n);
    return [time, record(source, line)];
  });
  const option = new Map<string, Packable>([["size", lines.length]]);
  if (chunk !== undefined) option.set("chunk", chunk);
  return pack([source.tag, entries, option]);
}

function record({ containerId, containerName, attributes }: FluentdSource, line: TargetLine): Packable {
  const fields = new Map<string, Packable>([
    ["container_id", containerId],
    ["container_name", containerName],
    ["source", line.stream],
    ["log", line.bytes],
    ...Object.entries(attributes),
  ]);
  if (line.part !== undefined) {
    fields.set("partial_message", "true");
    fields.set("partial_id", line.part.id);
    fields.set("partial_ordinal", String(line.part.ordinal));
    fields.set("partial_last", String(line.part.last));
  }
  return fields;
}
