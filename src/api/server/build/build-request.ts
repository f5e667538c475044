import {
  type BuildContextRequest,
  type BuildOutput,
  checkBuildArgs,
  checkBuildContexts,
  checkBuildOutputs,
  checkBuildUlimits,
  checkCacheFrom,
  checkTextMap,
  checkTexts,
  parseJson,
} from "#api/wire";
import type { BuildLimits, BuildRequest, CacheLocation, ContextRequest, Output } from "#build";
import { Fault } from "#core/fault";
import { parseReference, type Reference, withDefaultTag, canonical } from "#core/reference";
import type { Parameters } from "../parameters.ts";
import { parsePlatform } from "../platform.ts";
import type { ApiRequest } from "../router.ts";
import { shmSize } from "../create/shm-size.ts";
import { folderContext } from "./folder-context.ts";
import { readRegistryConfig } from "./registry-config.ts";
import type { BuildSession } from "./sessions.ts";

/** Bytes of a Dockerfile that comes by itself. */
const mostDockerfileBytes = 1 << 20;
const dockerfileTimeoutMs = 60_000;

/** What the query of `POST /build` asks for. */
export interface AskedBuild {
  /** Our own parameters count. */
  readonly isOurs: boolean;
  readonly session: BuildSession | undefined;
  readonly outputs: readonly Output[];
  /** Called when the client is gone before its archive has ended. */
  readonly onLost: () => void;
}

/** Reads a build's request. Faults: `invalid` in Docker's words, `conflict` and `forbidden` of a folder named as context. */
export async function readBuildRequest(request: ApiRequest, asked: AskedBuild): Promise<BuildRequest> {
  const { query, head } = request;
  const id = query.text("buildid");
  const cgroupParent = query.text("cgroupparent");
  const target = query.text("target");
  return {
    ...(id !== undefined && { id }),
    ...(await contextOf(request, asked)),
    tags: readTags(query.texts("t")),
    ...(target !== undefined && { target }),
    args: readArgs(query),
    labels: readLabels(query),
    platforms: readPlatforms(query.text("platform"), asked.isOurs),
    pull: query.flag("pull"),
    cacheFrom: readCacheFrom(query, request.isLocal),
    outputs: asked.outputs,
    squash: query.flag("squash"),
    network: query.text("networkmode") ?? "default",
    extraHosts: query.texts("extrahosts"),
    shmSizeBytes: shmSize(query.integer("shmsize")),
    ulimits: readUlimits(query),
    ...(cgroupParent !== undefined && { cgroupParent }),
    limits: readLimits(query),
    credentials: readRegistryConfig(head.headers.get("x-registry-config")),
    secrets: asked.session?.secrets ?? new Map<string, Uint8Array>(),
    sshAgents: asked.session?.agentPaths ?? new Map<string, string>(),
    noCache: query.flag("nocache"),
    ...(asked.isOurs ? ourParameters(request, asked.session) : classicParameters),
  };
}

type OwnParameters = Pick<
  BuildRequest,
  "contexts" | "cacheTo" | "entitlements" | "provenance" | "sbom" | "checkOnly" | "explain"
> &
  Partial<Pick<BuildRequest, "noCache" | "sourceDateEpoch" | "annotations">>;

const classicParameters: OwnParameters = {
  contexts: {},
  cacheTo: [],
  entitlements: new Set(),
  provenance: "off",
  sbom: false,
  checkOnly: false,
  explain: false,
};

function ourParameters(request: ApiRequest, session: BuildSession | undefined): OwnParameters {
  const { query, isLocal } = request;
  const stages = checkTexts(jsonOf(query, "nocachefilter"), "nocachefilter");
  const sourceDateEpoch = query.integer("sourcedateepoch");
  const provenance = query.text("provenance") ?? "off";
  if (provenance !== "off" && provenance !== "min" && provenance !== "max")
    throw new Fault("invalid", `invalid value for provenance: ${provenance.slice(0, 100)}`);
  const contexts = Object.entries(checkBuildContexts(jsonOf(query, "contexts"))).map(
    ([name, context]) => [name, namedContext(name, context, isLocal, session)] as const,
  );
  return {
    ...(stages.length > 0 && !query.flag("nocache") && { noCache: { stages } }),
    ...(sourceDateEpoch !== undefined && { sourceDateEpoch }),
    annotations: checkTextMap(jsonOf(query, "annotations"), "annotations"),
    contexts: Object.fromEntries(contexts),
    cacheTo: checkBuildOutputs(jsonOf(query, "cacheto"), "cacheto").map((place) => cacheLocation(place, isLocal)),
    entitlements: new Set(checkTexts(jsonOf(query, "allow"), "allow")),
    provenance,
    sbom: query.flag("sbom"),
    checkOnly: query.flag("check"),
    explain: query.flag("explain"),
  };
}

/** `outputs`; undefined when nothing is said of them. */
export function readAskedOutputs(query: Parameters): readonly BuildOutput[] | undefined {
  const outputs = checkBuildOutputs(jsonOf(query, "outputs"), "outputs");
  return outputs.length === 0 ? undefined : outputs;
}

async function contextOf(
  { query, body, isLocal }: ApiRequest,
  { isOurs, session, onLost }: AskedBuild,
): Promise<Pick<BuildRequest, "context" | "dockerfile">> {
  const path = query.text("dockerfile") ?? "Dockerfile";
  const text = session?.dockerfile;
  const dockerfile = text === undefined ? { path } : { text };
  const folder = isOurs ? query.text("context") : undefined;
  if (folder !== undefined) return { context: folderContext(folder, query.text("contextid"), isLocal), dockerfile };
  const url = query.text("remote");
  if (url === undefined) return { context: { kind: "archive", bytes: archiveOf(body, onLost) }, dockerfile };
  const sent = body.done ? "" : (await body.readAll(mostDockerfileBytes, dockerfileTimeoutMs)).toString("utf8");
  return { context: { kind: "remote", url }, dockerfile: sent.trim() === "" ? dockerfile : { text: sent } };
}

/** The archive, whose reader stops where it ends: what the client sends behind it is taken from it all the same. */
async function* archiveOf(body: ApiRequest["body"], onLost: () => void): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* body;
  } finally {
    body.drain().catch(onLost);
  }
}

function namedContext(
  name: string,
  { Image, URL, Folder, FolderID, Sent }: BuildContextRequest,
  isLocal: boolean,
  session: BuildSession | undefined,
): ContextRequest | { readonly kind: "image"; readonly reference: string } {
  if (Image !== undefined) return { kind: "image", reference: canonical(withDefaultTag(parseReference(Image))) };
  if (URL !== undefined) return { kind: "remote", url: URL };
  if (Folder !== undefined) return folderContext(Folder, FolderID, isLocal);
  if (Sent === true && session !== undefined) return { kind: "archive", bytes: session.context(name) };
  throw new Fault("invalid", `invalid build context ${name.slice(0, 100)}`);
}

/** Empty names are passed over, and those that come twice. */
function readTags(names: readonly string[]): Reference[] {
  const tags = new Map<string, Reference>();
  for (const name of names) {
    if (name === "") continue;
    const tag = withDefaultTag(parseReference(name));
    if (tag.digest !== undefined) throw new Fault("invalid", "build tag cannot contain a digest");
    tags.set(canonical(tag), tag);
  }
  return [...tags.values()];
}

function readArgs(query: Parameters): BuildRequest["args"] {
  const args = reading("build args", () => checkBuildArgs(jsonOf(query, "buildargs")));
  return Object.fromEntries(Object.entries(args).map(([name, value]) => [name, value ?? undefined]));
}

function readLabels(query: Parameters): BuildRequest["labels"] {
  return reading("labels", () => checkTextMap(jsonOf(query, "labels"), "labels"));
}

function readPlatforms(text: string | undefined, mayBeSeveral: boolean): BuildRequest["platforms"] {
  const names = text === undefined ? [] : mayBeSeveral ? text.split(",") : [text];
  return names.flatMap((name) => parsePlatform(name.trim()) ?? []);
}

function readCacheFrom(query: Parameters, isLocal: boolean): CacheLocation[] {
  const places = reading("cache-from", () => checkCacheFrom(jsonOf(query, "cachefrom")));
  return places.map((place) =>
    typeof place === "string" ? { type: "registry", options: { ref: place } } : cacheLocation(place, isLocal),
  );
}

function cacheLocation({ Type, Attrs }: BuildOutput, isLocal: boolean): CacheLocation {
  if (Type === "local" && !isLocal)
    throw new Fault("forbidden", "a cache of type local is a folder of the daemon's machine: over a unix socket only");
  if (Type === "inline" || Type === "registry" || Type === "local") return { type: Type, options: Attrs };
  throw new Fault("invalid", `unknown cache type: ${Type.slice(0, 100)}`, {
    remedy: "Slipway has registry, inline and local.",
  });
}

function readUlimits(query: Parameters): BuildRequest["ulimits"] {
  const ulimits = reading("ulimit settings", () => checkBuildUlimits(jsonOf(query, "ulimits")));
  return ulimits.map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard }));
}

/** As in Docker what is no number is none. */
function readLimits(query: Parameters): BuildLimits {
  const number = (name: string): number => {
    const text = query.text(name) ?? "";
    return /^-?\d{1,15}$/.test(text) ? Number(text) : 0;
  };
  return {
    memoryBytes: number("memory"),
    memorySwapBytes: number("memswap"),
    cpuShares: number("cpushares"),
    cpuQuota: number("cpuquota"),
    cpuPeriod: number("cpuperiod"),
    cpusetCpus: query.text("cpusetcpus") ?? "",
    cpusetMems: query.text("cpusetmems") ?? "",
  };
}

function jsonOf(query: Parameters, name: string): unknown {
  const text = query.text(name);
  return text === undefined ? undefined : parseJson(text);
}

function reading<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Fault("invalid", `error reading ${what}: ${message}`, { cause: error });
  }
}
