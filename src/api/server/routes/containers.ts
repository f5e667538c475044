import {
  apiVersion,
  type ApiVersion,
  booleanFilter,
  checkContainerCreate,
  type ContainerCreateRequest,
  type Filters,
  parseFilters,
} from "#api/wire";
import { Fault } from "#core/fault";
import { containerInspect } from "../answers/container-inspect.ts";
import { containerSummary } from "../answers/container-summary.ts";
import { readJson } from "../body.ts";
import { containerSpec } from "../create/container-spec.ts";
import { versionedRequest } from "../create/versioned-request.ts";
import type { Answer } from "../http/answer.ts";
import { parsePlatform } from "../platform.ts";
import { type ApiRequest, route, type Route } from "../router.ts";
import { shownImageNames } from "../shown-image-names.ts";
import type { ServerOptions } from "../server.ts";

const done: Answer = { kind: "empty", status: 204 };

const listFilters: readonly string[] = [
  "ancestor",
  "before",
  "exited",
  "expose",
  "health",
  "id",
  "is-task",
  "isolation",
  "label",
  "name",
  "network",
  "publish",
  "since",
  "status",
  "volume",
];
const statusWords = new Set(["created", "restarting", "running", "removing", "paused", "exited", "dead"]);

/** Containers, but for their streams. */
export function containerRoutes(options: ServerOptions): Route[] {
  const { containers } = options;
  return [
    route("GET /containers/json", (request) => list(options, request)),
    route("POST /containers/create", (request) => create(options, request)),
    route("POST /containers/prune", (request) => prune(options, request)),
    route("GET /containers/{name}/json", (request) => inspect(options, request)),
    route("POST /containers/{name}/start", (request) => start(options, request)),
    route("POST /containers/{name}/stop", async (request) => {
      await containers.stop(nameIn(request), stopOptions(request));
      return done;
    }),
    route("POST /containers/{name}/restart", async (request) => {
      await containers.restart(nameIn(request), stopOptions(request));
      return done;
    }),
    route("POST /containers/{name}/kill", async (request) => {
      await containers.kill(nameIn(request), request.query.text("signal"));
      return done;
    }),
    route("POST /containers/{name}/pause", async (request) => {
      await containers.pause(nameIn(request));
      return done;
    }),
    route("POST /containers/{name}/unpause", async (request) => {
      await containers.unpause(nameIn(request));
      return done;
    }),
    route("POST /containers/{name}/rename", (request) => rename(options, request)),
    route("POST /containers/{name}/resize", async (request) => {
      await containers.resize(nameIn(request), sizeIn(request));
      return done;
    }),
    route("DELETE /containers/{name}", (request) => remove(options, request)),
  ];
}

/** The container that the path names; a leading slash is part of how Docker writes names. */
export function nameIn({ path }: ApiRequest): string {
  return (path["name"] ?? "").replace(/^\//, "");
}

/** The terminal's size in the query (`h`, `w`). */
export function sizeIn({ query }: ApiRequest): { readonly rows: number; readonly columns: number } {
  const rows = query.integer("h");
  const columns = query.integer("w");
  const isSize = (value: number | undefined): value is number => value !== undefined && value >= 0 && value <= 65_535;
  if (!isSize(rows) || !isSize(columns))
    throw new Fault("invalid", "invalid terminal size: h and w must be 0 to 65535");
  return { rows, columns };
}

async function list(options: ServerOptions, { query, version }: ApiRequest): Promise<Answer> {
  const { containers, images, networks, host } = options;
  const filters = parseFilters(query.text("filters"), listFilters);
  checkListFilters(filters);
  const limit = query.integer("limit") ?? 0;
  const asksForStates = (filters["status"]?.length ?? 0) > 0 || (filters["exited"]?.length ?? 0) > 0;
  const found = containers.list({
    all: query.flag("all") || limit > 0 || asksForStates,
    ...(limit > 0 && { limit }),
    filters,
  });
  const nowNs = host.clock.now();
  const allNetworks = networks.list();
  const sizesOf = query.flag("size") ? await containers.sizes(found.map(({ id }) => id)) : undefined;
  const imageNameOf = shownImageNames(images);
  const value = found.map((container) => {
    const sizes = sizesOf?.get(container.id);
    return containerSummary(container, {
      networks: allNetworks,
      version,
      nowNs,
      imageName: imageNameOf(container),
      ...(sizes !== undefined && { sizes }),
    });
  });
  return { kind: "json", status: 200, value };
}

function checkListFilters(filters: Filters): void {
  for (const status of filters["status"] ?? []) {
    if (!statusWords.has(status)) throw new Fault("invalid", `invalid filter 'status=${status.slice(0, 50)}'`);
  }
  for (const code of filters["exited"] ?? []) {
    if (!/^-?\d{1,9}$/.test(code)) throw new Fault("invalid", `invalid filter 'exited=${code.slice(0, 50)}'`);
  }
  booleanFilter(filters, "is-task");
}

async function create(options: ServerOptions, request: ApiRequest): Promise<Answer> {
  const { query, version, signal } = request;
  const body = versionedRequest(checkContainerCreate(await readJson(request)), version);
  const name = query.text("name")?.replace(/^\//, "");
  const platform = version >= apiVersion("1.41") ? parsePlatform(query.text("platform")) : undefined;
  const spec = containerSpec(body, {
    ...(name !== undefined && { name }),
    ...(platform !== undefined && { platform }),
    readOnlyTopOnly: version < apiVersion("1.44"),
    ...(options.logDriver !== undefined && { logDriver: options.logDriver }),
    init: options.init ?? false,
    logOptions: options.logOptions,
    networkName: (typed) => networkNameIn(options, typed),
  });
  const { id, warnings } = await options.containers.create(spec, signal);
  const all = [...kernelMemoryWarnings(body, version), ...macAddressWarnings(body, version), ...warnings];
  return { kind: "json", status: 201, value: { Id: id, Warnings: all } };
}

/** Newer versions do not know the field and leave it unread, as Docker does; kernels do not limit their own memory any more. */
function kernelMemoryWarnings({ HostConfig: host }: ContainerCreateRequest, version: ApiVersion): string[] {
  if ((host?.KernelMemory ?? 0) <= 0 || version >= apiVersion("1.42")) return [];
  return [
    "Your kernel does not support kernel memory limit capabilities or the cgroup is not mounted. Limitation discarded.",
  ];
}

function macAddressWarnings({ MacAddress: address = "" }: ContainerCreateRequest, version: ApiVersion): string[] {
  if (address === "" || version < apiVersion("1.44")) return [];
  return ["The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."];
}

/** The network that was meant by name or id; what there is not (yet) stays as it was typed. */
function networkNameIn({ networks }: ServerOptions, typed: string): string {
  try {
    return networks.find(typed).name;
  } catch {
    return typed;
  }
}

async function inspect(options: ServerOptions, request: ApiRequest): Promise<Answer> {
  const { containers, images, networks, host } = options;
  const container = containers.find(nameIn(request));
  const wantsSizes = request.query.flag("size");
  const sizes = wantsSizes ? (await containers.sizes([container.id])).get(container.id) : undefined;
  const value = containerInspect(container, {
    images,
    networks: networks.list(),
    version: request.version,
    machine: {
      defaultRuntime: host.runtimes.default,
      throttleFolders: host.machine.throttleFolders,
    },
    ...(sizes !== undefined && { sizes }),
  });
  return { kind: "json", status: 200, value };
}

async function start({ containers }: ServerOptions, request: ApiRequest): Promise<Answer> {
  const { headers } = request.head;
  if (Number(headers.get("content-length") ?? 0) > 7 || headers.has("transfer-encoding")) {
    throw new Fault(
      "invalid",
      "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
    );
  }
  if (request.query.text("checkpoint") !== undefined) {
    throw new Fault("unsupported", "checkpoints are not supported yet");
  }
  await containers.start(nameIn(request));
  return done;
}

function stopOptions({ query, version }: ApiRequest): { readonly signal?: string; readonly timeoutSeconds?: number } {
  const timeoutSeconds = query.integer("t");
  const signal = version >= apiVersion("1.42") ? query.text("signal") : undefined;
  return { ...(signal !== undefined && { signal }), ...(timeoutSeconds !== undefined && { timeoutSeconds }) };
}

function rename({ containers }: ServerOptions, request: ApiRequest): Answer {
  const name = (request.query.text("name") ?? "").replace(/^\//, "");
  if (name === "") throw new Fault("invalid", "Neither old nor new names may be empty");
  containers.rename(nameIn(request), name);
  return done;
}

async function remove({ containers }: ServerOptions, request: ApiRequest): Promise<Answer> {
  const { query } = request;
  if (query.flag("link")) throw new Fault("unsupported", "removing links is not supported yet");
  await containers.remove(nameIn(request), { force: query.flag("force"), volumes: query.flag("v") });
  return done;
}

async function prune({ containers }: ServerOptions, { query }: ApiRequest): Promise<Answer> {
  const filters = parseFilters(query.text("filters"), ["until", "label", "label!"]);
  const { removed, reclaimedBytes } = await containers.prune(filters);
  return {
    kind: "json",
    status: 200,
    value: { ContainersDeleted: removed.length === 0 ? null : removed, SpaceReclaimed: reclaimedBytes },
  };
}
