import { apiVersion, type ChangeAnswer } from "#api/wire";
import type { RootChange, UsageSample } from "#containers";
import { Fault } from "#core/fault";
import { statsAnswer } from "../answers/stats-answer.ts";
import type { Answer } from "../http/answer.ts";
import { type ApiRequest, route, type Route } from "../router.ts";
import type { ServerOptions } from "../server.ts";
import { nameIn } from "./containers.ts";

/** What containers use, run and change. */
export function usageRoutes(options: ServerOptions): Route[] {
  const linesOf = sampleLines(options);
  return [
    route("GET /containers/{name}/stats", (request) => stats(options, request, linesOf)),
    route("GET /containers/{name}/top", (request) => top(options, request)),
    route("GET /containers/{name}/changes", (request) => changes(options, request)),
  ];
}

type Lines = (samples: AsyncIterable<UsageSample>) => AsyncIterable<Uint8Array>;

/** The line of a sample, made once however many clients get it. */
function sampleLines({ host }: ServerOptions): Lines {
  const made = new WeakMap<UsageSample, Uint8Array>();
  const lineOf = (sample: UsageSample): Uint8Array => {
    const line = made.get(sample) ?? Buffer.from(`${JSON.stringify(statsAnswer(sample, host.cgroups.version))}\n`);
    made.set(sample, line);
    return line;
  };
  return async function* lines(samples) {
    for await (const sample of samples) yield lineOf(sample);
  };
}

function stats({ containers }: ServerOptions, request: ApiRequest, linesOf: Lines): Answer {
  const { query, version, signal } = request;
  const once = !query.flag("stream", true);
  const oneShot = version >= apiVersion("1.41") && query.flag("one-shot");
  if (oneShot && !once) throw new Fault("invalid", "cannot have stream=true and one-shot=true");
  const samples = containers.stats(nameIn(request), { once, oneShot }, signal);
  return { kind: "stream", contentType: "application/json", body: linesOf(samples), headAtOnce: false };
}

async function top({ containers }: ServerOptions, request: ApiRequest): Promise<Answer> {
  const { titles, processes } = await containers.top(nameIn(request), request.query.text("ps_args") ?? "");
  return { kind: "json", status: 200, value: { Titles: titles, Processes: processes } };
}

async function changes({ containers }: ServerOptions, request: ApiRequest): Promise<Answer> {
  const found = await containers.changes(nameIn(request));
  const value = found.map(({ path, kind }): ChangeAnswer => ({ Path: path, Kind: kindNumbers[kind] }));
  return { kind: "json", status: 200, value };
}

const kindNumbers: Readonly<Record<RootChange["kind"], ChangeAnswer["Kind"]>> = { modified: 0, added: 1, deleted: 2 };
