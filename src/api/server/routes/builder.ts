import { join } from "node:path";
import { type BuildMessage, buildStreamType, checkBuildSession, parseFilters } from "#api/wire";
import { type BuildEvent, type Builder, type CachePrune, pruneFilters } from "#build";
import { Fault } from "#core/fault";
import { buildRecordAnswer } from "../answers/build-answer.ts";
import { readJson } from "../body.ts";
import { readAskedOutputs, readBuildRequest } from "../build/build-request.ts";
import { classicAnswer, messageAnswer } from "../build/build-stream.ts";
import { Handoff } from "../build/handoff.ts";
import { readOutputs } from "../build/output-files.ts";
import { BuildSessions } from "../build/sessions.ts";
import type { Answer } from "../http/answer.ts";
import type { Parameters } from "../parameters.ts";
import { type ApiRequest, route, type Route } from "../router.ts";
import type { ServerOptions } from "../server.ts";
import { rawType } from "../session-stream.ts";

/** Building images: the builds, what they leave in the cache, and what a client lays down for its build. */
export function builderRoutes(options: ServerOptions): Route[] {
  const { builder } = options;
  if (builder === undefined) return withoutBuilder();
  const sessions = new BuildSessions(join(options.host.paths.execRoot, "build-agents"));
  const sessionOf = ({ path }: ApiRequest) => sessions.find(path["id"] ?? "");
  return [
    route("POST /build", (request) => build(options, builder, sessions, request)),
    route("POST /build/cancel", ({ query }) => cancel(builder, query)),
    route("POST /build/prune", (request) => prune(builder, request)),
    route("POST /slipway/build/sessions", async (request) => {
      const id = await sessions.open(checkBuildSession(await readJson(request)));
      return { kind: "json", status: 201, value: { Id: id } };
    }),
    route("POST /slipway/build/sessions/{id}/agent", (request) => {
      const agent = sessionOf(request).agent(request.query.text("agent") ?? "default");
      return { kind: "hijack", contentType: rawType, serve: async (stream) => await agent.park(stream) };
    }),
    route("POST /slipway/build/sessions/{id}/context", async (request) => {
      await sessionOf(request).offer(request.query.text("name") ?? "", request.body);
      return { kind: "empty", status: 204 };
    }),
    route("GET /slipway/build/history", () => {
      return { kind: "json", status: 200, value: builder.history().map(buildRecordAnswer) };
    }),
    route("DELETE /slipway/build/history", ({ query }) => {
      const forgotten = builder.forgetHistory(query.flag("all") ? "all" : query.texts("id"));
      return { kind: "json", status: 200, value: { Forgotten: forgotten } };
    }),
    route("GET /slipway/build/cache-mount", ({ query, signal }) => {
      const body = builder.exportCacheMount(query.text("id") ?? "", signal);
      return { kind: "stream", contentType: "application/x-tar", headAtOnce: false, body };
    }),
    route("PUT /slipway/build/cache-mount", async ({ query, body, signal }) => {
      await builder.importCacheMount(query.text("id") ?? "", body, signal);
      return { kind: "empty", status: 204 };
    }),
  ];
}

async function build(
  options: ServerOptions,
  builder: Builder,
  sessions: BuildSessions,
  request: ApiRequest,
): Promise<Answer> {
  const { query, head, signal } = request;
  const isOurs = (head.headers.get("accept") ?? "").includes(buildStreamType);
  if (!isOurs) refuseBuildKit(query);
  const sessionId = isOurs ? query.text("session") : undefined;
  const session = sessionId === undefined ? undefined : sessions.take(sessionId);
  const messages = new Handoff<BuildMessage>();
  const lost = new AbortController();
  const onLost = (): void => lost.abort();
  try {
    const outputs = readOutputs(isOurs ? readAskedOutputs(query) : undefined, async (message) => {
      await messages.give(message);
    });
    const asked = await readBuildRequest(request, { isOurs, session, outputs, onLost });
    const events = watched(options, builder.build(asked, AbortSignal.any([signal, lost.signal])), async () => {
      if (sessionId !== undefined) await sessions.close(sessionId);
    });
    if (isOurs) return messageAnswer(events, messages);
    return classicAnswer(events, { quiet: query.flag("q"), removes: query.flag("rm", true) || query.flag("forcerm") });
  } catch (error) {
    if (sessionId !== undefined) await sessions.close(sessionId);
    throw error;
  }
}

/** What comes may need room: before it does, and when it is here. */
async function* watched(
  { disk }: ServerOptions,
  events: AsyncIterable<BuildEvent>,
  atEnd: () => Promise<void>,
): AsyncGenerator<BuildEvent, void, void> {
  try {
    disk.nudge();
    yield* events;
  } finally {
    disk.nudge();
    await atEnd();
  }
}

function refuseBuildKit(query: Parameters): void {
  const version = query.text("version") ?? "1";
  if (version === "1" && query.text("session") === undefined && query.text("remote") !== "client-session") return;
  if (version !== "1" && version !== "2") throw new Fault("invalid", `invalid version: ${version.slice(0, 60)}`);
  throw new Fault("unsupported", "BuildKit's sessions are not spoken here", {
    remedy: "Build with DOCKER_BUILDKIT=0 docker build, or with slipway build, which has what BuildKit has.",
  });
}

function cancel(builder: Builder, query: Parameters): Answer {
  const id = query.text("id");
  if (id === undefined) throw new Fault("invalid", "build ID not provided");
  builder.cancel(id);
  return { kind: "empty", status: 200 };
}

async function prune(builder: Builder, { query, signal }: ApiRequest): Promise<Answer> {
  const { removed, reclaimedBytes } = await builder.prune(readPrune(query), signal);
  const value = { CachesDeleted: removed.length === 0 ? null : removed, SpaceReclaimed: reclaimedBytes };
  return { kind: "json", status: 200, value };
}

function readPrune(query: Parameters): CachePrune {
  const filters = parseFilters(query.text("filters"), pruneFilters);
  // Its name before API 1.48.
  const reservedBytes = query.integer("reserved-space") ?? query.integer("keep-storage");
  const maxUsedBytes = query.integer("max-used-space");
  const minFreeBytes = query.integer("min-free-space");
  return {
    all: query.flag("all"),
    filters,
    ...(reservedBytes !== undefined && reservedBytes > 0 && { reservedBytes }),
    ...(maxUsedBytes !== undefined && maxUsedBytes > 0 && { maxUsedBytes }),
    ...(minFreeBytes !== undefined && minFreeBytes > 0 && { minFreeBytes }),
  };
}

/** A daemon without a builder: what is pruned is nothing. */
function withoutBuilder(): Route[] {
  const refuse = (): never => {
    throw new Fault("unsupported", "building images is not supported by this daemon");
  };
  return [
    route("POST /build", refuse),
    route("POST /build/cancel", refuse),
    route("POST /build/prune", ({ query }) => {
      parseFilters(query.text("filters"), pruneFilters);
      return { kind: "json", status: 200, value: { CachesDeleted: null, SpaceReclaimed: 0 } };
    }),
  ];
}
