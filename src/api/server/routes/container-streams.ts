import { apiVersion, encodeFrame, parseTime, toJson } from "#api/wire";
import { logAttributes, type LogLine, type LogOptions, type WaitCondition } from "#containers";
import { Fault } from "#core/fault";
import type { StreamName } from "#host";
import type { Answer } from "../http/answer.ts";
import type { Parameters } from "../parameters.ts";
import { type ApiRequest, route, type Route } from "../router.ts";
import type { ServerOptions } from "../server.ts";
import { joinSession, multiplexedType, rawType } from "../session-stream.ts";
import { joinWebSocket } from "../web-socket.ts";
import { nameIn } from "./containers.ts";

/** Attach, logs and wait. */
export function containerStreamRoutes(options: ServerOptions): Route[] {
  return [
    route("POST /containers/{name}/attach", (request) => attach(options, request), { plainErrors: true }),
    route("GET /containers/{name}/attach/ws", (request) => attachWebSocket(options, request)),
    route("GET /containers/{name}/logs", (request) => logs(options, request)),
    route("POST /containers/{name}/wait", (request) => wait(options, request)),
  ];
}

/** The session is open before the answer's first byte: a client that has seen it may start the container and miss nothing. */
async function attach({ containers }: ServerOptions, request: ApiRequest): Promise<Answer> {
  const { query, version, upgrade } = request;
  const detachKeys = query.text("detachKeys");
  const session = await containers.attach(nameIn(request), {
    streams: streamsIn(query),
    stdin: query.flag("stdin"),
    logs: query.flag("logs"),
    stream: query.flag("stream"),
    ...(detachKeys !== undefined && { detachKeys }),
  });
  const isMultiplexed = !session.tty && upgrade && version >= apiVersion("1.42");
  return {
    kind: "hijack",
    contentType: isMultiplexed ? multiplexedType : rawType,
    serve: async (stream) => await joinSession(stream, session, !session.tty),
  };
}

/** Never multiplexed; the frames are text before API 1.28, and before 1.42 every stream is attached whatever was asked. */
async function attachWebSocket({ containers }: ServerOptions, request: ApiRequest): Promise<Answer> {
  const { head, query, version } = request;
  const choosesStreams = version >= apiVersion("1.42");
  const detachKeys = query.text("detachKeys");
  const session = await containers.attach(nameIn(request), {
    streams: choosesStreams ? streamsIn(query) : ["stdout", "stderr"],
    stdin: choosesStreams ? query.flag("stdin") : true,
    logs: query.flag("logs"),
    stream: query.flag("stream"),
    ...(detachKeys !== undefined && { detachKeys }),
  });
  const form = { binary: version >= apiVersion("1.28") };
  return { kind: "hijack", serve: async (stream) => await joinWebSocket(stream, head, session, form) };
}

function logs(options: ServerOptions, request: ApiRequest): Answer {
  const { query, version, signal } = request;
  const container = options.containers.find(nameIn(request));
  const streams = streamsIn(query);
  if (streams.length === 0) {
    throw new Fault("invalid", "Bad parameters: you must choose at least one stream");
  }
  const { tty } = container.spec;
  const lines = options.containers.logs(container.id, logOptions(query, streams, options.host.clock.now()), signal);
  return {
    kind: "stream",
    contentType: !tty && version >= apiVersion("1.42") ? multiplexedType : rawType,
    headAtOnce: query.flag("follow"),
    body: renderLines(lines, {
      tty,
      timestamps: query.flag("timestamps"),
      ...(query.flag("details") && { details: detailsText(logAttributes(container)) }),
    }),
    lastWords: (fault) => {
      const bytes = Buffer.from(`Error grabbing logs: ${fault.text}\n`);
      return tty ? bytes : encodeFrame("systemerr", bytes);
    },
  };
}

function logOptions(query: Parameters, streams: readonly StreamName[], nowNs: bigint): LogOptions {
  const tail = query.text("tail");
  const sinceNs = parseTime(query.text("since"), nowNs);
  const untilNs = parseTime(query.text("until"), nowNs);
  return {
    streams,
    follow: query.flag("follow"),
    // As in Docker, anything that is not a count means all.
    ...(tail !== undefined && /^\d{1,9}$/.test(tail) && { tail: Number(tail) }),
    ...(sinceNs !== undefined && { sinceNs }),
    ...(untilNs !== undefined && { untilNs }),
  };
}

async function* renderLines(
  lines: AsyncIterable<LogLine>,
  form: { readonly tty: boolean; readonly timestamps: boolean; readonly details?: string },
): AsyncGenerator<Uint8Array> {
  for await (const { stream, timeNs, bytes } of lines) {
    const prefix = `${form.timestamps ? `${logTime(timeNs)} ` : ""}${form.details === undefined ? "" : `${form.details} `}`;
    const line = prefix === "" ? bytes : Buffer.concat([Buffer.from(prefix), bytes]);
    yield form.tty ? line : encodeFrame(stream, line);
  }
}

/** `key=value,key=value`, escaped as in a query. */
function detailsText(attributes: Readonly<Record<string, string>>): string {
  const names = Object.keys(attributes).toSorted();
  return names.map((name) => new URLSearchParams([[name, attributes[name] ?? ""]]).toString()).join(",");
}

/** RFC 3339 with all nine digits, so that lines stand in columns. */
function logTime(timeNs: bigint): string {
  const seconds = new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${(timeNs % 1_000_000_000n).toString().padStart(9, "0")}Z`;
}

/** The head goes out when the wait is registered; clients start the container only after it. */
async function wait({ containers }: ServerOptions, request: ApiRequest): Promise<Answer> {
  const { query, version, signal } = request;
  const condition = version >= apiVersion("1.30") ? conditionOf(query.text("condition")) : "not-running";
  const { result } = await containers.wait(nameIn(request), condition, signal);
  // It also fails when the client is gone before anybody looks at it.
  result.catch(() => undefined);
  async function* outcome(): AsyncGenerator<string> {
    const { exitCode, error } = await result;
    yield `${toJson({ StatusCode: exitCode, ...(error !== undefined && { Error: { Message: error } }) })}\n`;
  }
  return {
    kind: "stream",
    contentType: "application/json",
    headAtOnce: version >= apiVersion("1.30"),
    body: outcome(),
    lastWords: (fault) => `${toJson({ StatusCode: 125, Error: { Message: fault.text } })}\n`,
  };
}

function conditionOf(text: string | undefined): WaitCondition {
  if (text === undefined) return "not-running";
  if (text === "not-running" || text === "next-exit" || text === "removed") return text;
  throw new Fault("invalid", `invalid condition: "${text.slice(0, 50)}"`);
}

function streamsIn(query: Parameters): StreamName[] {
  return (["stdout", "stderr"] as const).filter((name) => query.flag(name));
}
