import {
  apiVersion,
  type ApiVersion,
  booleanFilter,
  errorLine,
  type ImageDeleteEntry,
  parseFilters,
  progressLine,
} from "#api/wire";
import { Fault } from "#core/fault";
import { type Reference, parseReference, withDefaultTag } from "#core/reference";
import type { Platform } from "#core/oci";
import type { Disk } from "#disk";
import type { Progress, Removal } from "#images";
import { historyEntry, imageInspect, imageSummary } from "../answers/image-answer.ts";
import { progressText } from "../answers/progress-answer.ts";
import type { Answer } from "../http/answer.ts";
import type { Parameters } from "../parameters.ts";
import { parsePlatform } from "../platform.ts";
import { readRegistryAuth } from "../registry-auth.ts";
import { type ApiRequest, route, type Route } from "../router.ts";
import type { ServerOptions } from "../server.ts";
import { imageCounts } from "../image-counts.ts";

const listFilters: readonly string[] = ["before", "dangling", "label", "label!", "reference", "since", "until"];

/** Images: the store, the registry, archives. */
export function imageRoutes(options: ServerOptions): Route[] {
  const { images, containers } = options;
  return [
    route("GET /images/json", (request) => list(options, request)),
    route("GET /images/get", ({ query, signal }) => save(options, query.texts("names"), signal)),
    route("POST /images/create", (request) => createImage(options, request)),
    route("POST /images/load", (request) => load(options, request)),
    route("POST /images/prune", (request) => prune(options, request)),
    route("GET /images/{name*}/json", (request) => {
      const image = images.find(nameIn(request), parsePlatform(request.query.text("platform")));
      return { kind: "json", status: 200, value: imageInspect(image, request.version) };
    }),
    route("GET /images/{name*}/history", (request) => {
      return { kind: "json", status: 200, value: images.history(nameIn(request)).map(historyEntry) };
    }),
    route("GET /images/{name*}/get", (request) => save(options, [nameIn(request)], request.signal)),
    route("POST /images/{name*}/tag", (request) => tag(options, request)),
    route("POST /images/{name*}/push", (request) => push(options, request)),
    route("DELETE /images/{name*}", async (request) => {
      const { query } = request;
      const removed = await images.remove(nameIn(request), {
        force: query.flag("force"),
        prune: !query.flag("noprune"),
        running: new Set(containers.list({ all: false, filters: {} }).map(({ id }) => id)),
      });
      return { kind: "json", status: 200, value: removed.map(deleteEntry) };
    }),
  ];
}

function nameIn({ path }: ApiRequest): string {
  return path["name"] ?? "";
}

function list({ images, containers }: ServerOptions, { query, version }: ApiRequest): Answer {
  const filters = parseFilters(query.text("filters"), listFilters);
  booleanFilter(filters, "dangling");
  const older = query.text("filter");
  const wanted = older === undefined ? filters : { ...filters, reference: [older] };
  const found = images.list({ all: query.flag("all"), filters: wanted });
  const countsOf = query.flag("shared-size")
    ? imageCounts(containers.list({ all: true, filters: {} }), images)
    : undefined;
  const value = found.map((image) => imageSummary(image, version, countsOf?.(image)));
  return { kind: "json", status: 200, value };
}

function createImage(options: ServerOptions, request: ApiRequest): Answer | Promise<Answer> {
  const { query } = request;
  if (query.text("fromImage") !== undefined) return pull(options, request);
  if (query.text("fromSrc") === "-") return importImage(options, request);
  if (query.text("fromSrc") !== undefined) {
    throw new Fault("unsupported", "importing from a URL is not supported yet", {
      remedy: "Download the archive and give it as the body (docker import FILE).",
    });
  }
  throw new Fault("invalid", "fromImage or fromSrc must be given");
}

function pull({ images, disk }: ServerOptions, { query, head, signal, version }: ApiRequest): Answer {
  const name = (query.text("fromImage") ?? "").replace(/:$/, "");
  const tagOrDigest = query.text("tag") ?? "";
  const joint = tagOrDigest.includes(":") ? "@" : ":";
  const named = parseReference(name);
  const reference = tagOrDigest === "" ? named : parseReference(withTag(name, named, `${joint}${tagOrDigest}`));
  const platform = platformSince132(query, version);
  const auth = readRegistryAuth(head.headers.get("x-registry-auth"));
  // Without tag and digest the API, unlike the CLI, means every tag.
  const allTags = reference.tag === undefined && reference.digest === undefined;
  const progress = images.pull(
    {
      reference,
      ...(platform !== undefined && { platform }),
      ...(auth !== undefined && { auth }),
      ...(allTags && { allTags }),
    },
    signal,
  );
  return progressStream(nudging(disk, progress));
}

function push({ images }: ServerOptions, request: ApiRequest): Answer {
  const { query, head, signal, version } = request;
  const name = nameIn(request);
  const named = parseReference(name);
  const tag = query.text("tag") ?? "";
  const reference = tag === "" ? named : parseReference(withTag(name, named, `:${tag}`));
  const platform = version >= apiVersion("1.46") ? parsePlatform(query.text("platform")) : undefined;
  const auth = readRegistryAuth(head.headers.get("x-registry-auth"));
  // Without tag and digest the API, unlike the CLI, means every tag.
  const allTags = reference.tag === undefined && reference.digest === undefined;
  const progress = images.push(
    {
      reference,
      ...(platform !== undefined && { platform }),
      ...(auth !== undefined && { auth }),
      ...(allTags && { allTags }),
    },
    signal,
  );
  return progressStream(progress);
}

/** What comes may need room: before it does, and when it is here. */
async function* nudging<Item>(disk: Disk, work: AsyncIterable<Item>): AsyncGenerator<Item> {
  disk.nudge();
  yield* work;
  disk.nudge();
}

/** A tag given beside a name replaces the one within it. */
function withTag(name: string, named: Reference, suffix: string): string {
  const bare = named.digest === undefined ? name : name.slice(0, name.indexOf("@"));
  return (named.tag === undefined ? bare : bare.slice(0, bare.lastIndexOf(":"))) + suffix;
}

async function importImage(
  { images, disk }: ServerOptions,
  { query, body, signal, version }: ApiRequest,
): Promise<Answer> {
  const repository = query.text("repo");
  const tagText = query.text("tag");
  const platform = platformSince132(query, version);
  if (platform !== undefined && platform.os !== "linux")
    throw new Fault("invalid", "operating system is not supported");
  const reference =
    repository === undefined
      ? undefined
      : withDefaultTag(parseReference(tagText === undefined ? repository : `${repository}:${tagText}`));
  if (reference?.digest !== undefined) throw new Fault("invalid", "cannot import digest reference");
  disk.nudge();
  const id = await images.importArchive(
    body,
    {
      changes: query.texts("changes"),
      message: query.text("message") ?? "",
      ...(reference !== undefined && { reference }),
      ...(platform !== undefined && { platform }),
    },
    signal,
  );
  disk.nudge();
  return progressStream(once(progressLine({ status: id })));
}

/** Older clients have no such parameter. */
function platformSince132(query: Parameters, version: ApiVersion): Platform | undefined {
  return version >= apiVersion("1.32") ? parsePlatform(query.text("platform")) : undefined;
}

function load({ images, disk }: ServerOptions, { query, body, signal }: ApiRequest): Answer {
  const platform = parsePlatform(query.text("platform"));
  const progress = images.load(
    body,
    { quiet: query.flag("quiet"), ...(platform !== undefined && { platform }) },
    signal,
  );
  return progressStream(nudging(disk, progress));
}

function progressStream(lines: AsyncIterable<Progress | string>): Answer {
  async function* rendered(): AsyncGenerator<string> {
    for await (const line of lines) yield typeof line === "string" ? line : progressText(line);
  }
  return {
    kind: "stream",
    contentType: "application/json",
    headAtOnce: false,
    body: rendered(),
    lastWords: (fault) => errorLine(fault.text),
  };
}

async function* once(line: string): AsyncGenerator<string> {
  yield line;
}

function save({ images }: ServerOptions, names: readonly string[], signal: AbortSignal): Answer {
  if (names.length === 0) throw new Fault("invalid", "no image names given");
  return { kind: "stream", contentType: "application/x-tar", headAtOnce: false, body: images.save(names, signal) };
}

async function tag({ images }: ServerOptions, request: ApiRequest): Promise<Answer> {
  const repository = request.query.text("repo") ?? "";
  const tagText = request.query.text("tag");
  const target = withDefaultTag(parseReference(tagText === undefined ? repository : `${repository}:${tagText}`));
  if (target.digest !== undefined) throw new Fault("invalid", "refusing to create a tag with a digest reference");
  await images.tag(nameIn(request), target);
  return { kind: "empty", status: 201 };
}

async function prune({ images }: ServerOptions, { query }: ApiRequest): Promise<Answer> {
  const filters = parseFilters(query.text("filters"), ["dangling", "label", "label!", "until"]);
  const danglingOnly = booleanFilter(filters, "dangling") ?? true;
  const { dangling: _dangling, ...rest } = filters;
  const { removed, reclaimedBytes } = await images.prune({ danglingOnly, filters: rest });
  const value = {
    ImagesDeleted: removed.length === 0 ? null : removed.map(deleteEntry),
    SpaceReclaimed: reclaimedBytes,
  };
  return { kind: "json", status: 200, value };
}

function deleteEntry(removal: Removal): ImageDeleteEntry {
  return "untagged" in removal ? { Untagged: removal.untagged } : { Deleted: removal.deleted };
}
