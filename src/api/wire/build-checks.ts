import { type Check, flag, integer, list, map, nullable, object, text } from "./check.ts";
import type {
  BuildContextRequest,
  BuildContexts,
  BuildOutput,
  BuildSessionRequest,
  BuildUlimits,
} from "./build-types.ts";
import type { Ulimit } from "./container-config.ts";
import type { RegistryAuthHeader } from "./image-types.ts";
import { checkRegistryAuth } from "./request-checks.ts";

/** Media type of a build's stream of `BuildMessage` lines. */
export const buildStreamType = "application/vnd.slipway.build.v1+jsonl";

/** Checks `buildargs`: null is a name without a value. */
export function checkBuildArgs(value: unknown): Readonly<Record<string, string | null>> {
  return map(nullable(text))(value ?? {}, "buildargs");
}

/** Checks a map of texts, such as `labels`. */
export function checkTextMap(value: unknown, place: string): Readonly<Record<string, string>> {
  return map(text)(value ?? {}, place);
}

/** Checks a list of texts, such as `allow`. */
export function checkTexts(value: unknown, place: string): readonly string[] {
  return list(text)(value ?? [], place);
}

/** Checks `ulimits`. */
export function checkBuildUlimits(value: unknown): BuildUlimits {
  return list(ulimit)(value ?? [], "ulimits");
}

/** Checks `outputs`, `cacheto` and the like. */
export function checkBuildOutputs(value: unknown, place: string): readonly BuildOutput[] {
  return list(output)(value ?? [], place);
}

/** Checks `cachefrom`: Docker's list of image names, or our list of places. */
export function checkCacheFrom(value: unknown): readonly (string | BuildOutput)[] {
  const either: Check<string | BuildOutput> = (item, place) => (typeof item === "string" ? item : output(item, place));
  return list(either)(value ?? [], "cachefrom");
}

/** Checks `contexts`. */
export function checkBuildContexts(value: unknown): BuildContexts {
  return map(context)(value ?? {}, "contexts");
}

/** Checks the body of `POST /slipway/build/sessions`. */
export function checkBuildSession(value: unknown): BuildSessionRequest {
  return session(value ?? {}, "");
}

/** Checks the document of `X-Registry-Config`: credentials by registry. */
export function checkRegistryConfig(value: unknown): Readonly<Record<string, RegistryAuthHeader>> {
  const auth: Check<RegistryAuthHeader> = (item) => checkRegistryAuth(item);
  return map(auth)(value ?? {}, "");
}

const ulimit: Check<Ulimit> = (value, place) => ({
  Name: "",
  Soft: 0,
  Hard: 0,
  ...object<Ulimit>({ Name: text, Soft: integer, Hard: integer })(value, place),
});

const output: Check<BuildOutput> = (value, place) => ({
  Type: "",
  Attrs: {},
  ...object<BuildOutput>({ Type: text, Attrs: map(text) })(value, place),
});

const context = object<BuildContextRequest>({ Image: text, URL: text, Folder: text, FolderID: text, Sent: flag });

const session = object<BuildSessionRequest>({ Secrets: map(text), Agents: list(text), Dockerfile: text });
