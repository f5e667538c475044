import {
  endOfLog,
  findTime,
  type LogPosition,
  type LogRecord,
  type Monitor,
  type OutputChunk,
  readLastLines,
  readLog,
} from "#host";
import { Fault } from "#core/fault";
import type { LogLine, LogOptions } from "../containers.ts";
import { foldersOf } from "../life/folders.ts";
import { parseBoolean } from "./drivers/option-values.ts";
import { lostNote } from "./lost-note.ts";
import { toLines } from "../streams/lines.ts";
import type { Room } from "../room.ts";
import { isRunning } from "../state.ts";
import type { ContainerRecord } from "../store.ts";

/** The lines of a container's log: those that are there, and (following) those that come until it ends. Faults are thrown before the first line. */
export function logs(room: Room, nameOrId: string, options: LogOptions, signal: AbortSignal): AsyncIterable<LogLine> {
  const record = room.store.find(nameOrId);
  if (options.streams.length === 0) {
    throw new Fault("invalid", "Bad parameters: you must choose at least one stream");
  }
  if (!isReadable(record)) {
    throw new Fault("unsupported", "configured logging driver does not support reading");
  }
  const stop = options.untilNs === undefined || !options.follow ? signal : until(room, options.untilNs, signal);
  return select(toLines(chunks(room, record, options, stop)), options, stop);
}

function isReadable({ spec }: ContainerRecord): boolean {
  const { driver, options } = spec.logging;
  return driver !== "none" && !parseBoolean("cache-disabled", options["cache-disabled"] ?? "false");
}

async function* select(lines: AsyncIterable<LogLine>, options: LogOptions, stop: AbortSignal): AsyncGenerator<LogLine> {
  for await (const line of lines) {
    if (options.untilNs !== undefined && line.timeNs > options.untilNs) return;
    if (options.sinceNs === undefined || line.timeNs >= options.sinceNs) yield line;
    if (stop.aborted) return;
  }
}

/** What is kept, and what comes after it, without a gap between: the live part begins where the kept one was read to. */
async function* chunks(
  room: Room,
  record: ContainerRecord,
  options: LogOptions,
  stop: AbortSignal,
): AsyncGenerator<OutputChunk> {
  const folder = foldersOf(room.host.paths, record.id).log;
  const live = options.follow && isRunning(record.state) ? room.live.get(record.id) : undefined;
  let position: LogPosition | "now" = (await endOfLog(folder)) ?? "now";
  // A reader that rotation overtook goes on with the oldest that is still kept.
  for (let kept = await keptRecords(folder, options); ; kept = readLog(folder)) {
    for await (const item of kept) {
      if (stop.aborted) return;
      position = item.end;
      const chunk = chunkOf(item, options);
      if (options.streams.includes(chunk.stream)) yield chunk;
    }
    if (live === undefined || stop.aborted) return;
    const overtaken = yield* follow(live.monitor, options, position, stop);
    if (!overtaken || stop.aborted) return;
  }
}

/** Live output from the position on, to the container's end; answers whether rotation was faster than the reader. */
async function* follow(
  monitor: Monitor,
  { streams }: LogOptions,
  from: LogPosition | "now",
  stop: AbortSignal,
): AsyncGenerator<OutputChunk, boolean> {
  // One that has ended meanwhile has nothing more to say.
  const attachment = await monitor.attach({ streams, stdin: false, from, throttle: false }).catch(() => undefined);
  if (attachment === undefined) return false;
  const end = (): void => void Promise.resolve(attachment[Symbol.asyncDispose]()).catch(() => {});
  stop.addEventListener("abort", end, { once: true });
  try {
    for await (const item of attachment.output) {
      if (item.kind === "gap") return true;
      yield item.chunk;
    }
    return false;
  } catch (error) {
    if (stop.aborted) return false;
    throw error;
  } finally {
    stop.removeEventListener("abort", end);
    await attachment[Symbol.asyncDispose]();
  }
}

async function keptRecords(folder: string, options: LogOptions): Promise<AsyncIterable<LogRecord>> {
  if (options.tail !== undefined) return readLastLines(folder, options.tail, options.streams);
  if (options.sinceNs === undefined) return readLog(folder);
  const start = await findTime(folder, options.sinceNs);
  return start === undefined ? readLog(folder, await endOfLog(folder)) : readLog(folder, start);
}

/** A record's output; what a full disk took is said in its place, to whomever reads. */
function chunkOf({ stream, timeNs, bytes, lostBytes }: LogRecord, { streams }: LogOptions): OutputChunk {
  if (lostBytes === undefined) return { stream, timeNs, bytes };
  const note = Buffer.from(`${lostNote("disk full", lostBytes)}\n`);
  return { stream: streams.at(-1) ?? "stderr", timeNs, bytes: note };
}

/** Aborts with the signal, or when the time has come. */
function until(room: Room, untilNs: bigint, signal: AbortSignal): AbortSignal {
  const waitMs = Number((untilNs - room.clock.now()) / 1_000_000n);
  return AbortSignal.any([signal, AbortSignal.timeout(Math.min(Math.max(waitMs, 0), 2 ** 31 - 1))]);
}
