import { existsSync, mkdirSync } from "node:fs";
import { resolve } from "node:path";
import type { BuildContextRequest, BuildContexts, BuildOutput } from "#api/client";
import type { FlagValues } from "../flags/flag.ts";
import { pairsOf } from "../request/env.ts";
import { readUlimit } from "../request/ulimit.ts";
import type { buildFlags } from "./build-flags.ts";
import { folderId, isRemote } from "./context.ts";
import { csvPairs } from "./csv-pairs.ts";
import type { AskedOutput } from "./outputs.ts";

export type BuildValues = FlagValues<typeof buildFlags>;

/** Parameters of `POST /build` for the flags, without the context's. Throws an Error in Docker's words. */
export function buildQuery(
  values: BuildValues,
  outputs: readonly AskedOutput[],
  contexts: BuildContexts,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | number | boolean | readonly string[] | undefined> {
  const attestations = readAttestations(values);
  const named = outputs.flatMap(({ Attrs }) => (Attrs["name"] ?? "").split(",").filter((name) => name !== ""));
  return {
    t: [...values.tag, ...named],
    target: values.target || undefined,
    buildargs: json(readArgs(values["build-arg"], env)),
    labels: json(pairsOf(values.label)),
    annotations: json(
      pairsOf(values.annotation.map((item) => item.replace(/^(?:manifest|index)(?:-descriptor)?:/, ""))),
    ),
    platform: values.platform.join(",") || undefined,
    outputs: json(outputs.map(({ Type, Attrs }): BuildOutput => ({ Type, Attrs }))),
    contexts: json(contexts),
    nocache: values["no-cache"],
    nocachefilter: json(values["no-cache-filter"]),
    pull: values.pull,
    cachefrom: json(values["cache-from"].map((item) => cachePlace(item, "src"))),
    cacheto: json(values["cache-to"].map((item) => cachePlace(item, "dest"))),
    allow: json(values.allow),
    networkmode: values.network,
    extrahosts: values["add-host"].map(readHost),
    shmsize: values["shm-size"] || undefined,
    ulimits: json(values.ulimit.map(readUlimit)),
    memory: values.memory || undefined,
    memswap: values["memory-swap"] || undefined,
    cpushares: values["cpu-shares"] || undefined,
    cpuperiod: values["cpu-period"] || undefined,
    cpuquota: values["cpu-quota"] || undefined,
    cpusetcpus: values["cpuset-cpus"] || undefined,
    cpusetmems: values["cpuset-mems"] || undefined,
    cgroupparent: values["cgroup-parent"] || undefined,
    squash: values.squash,
    provenance: attestations.provenance,
    sbom: attestations.sbom,
    check: values.check || values.call === "check",
    explain: values.explain,
    sourcedateepoch: env["SOURCE_DATE_EPOCH"] || undefined,
  };
}

/** `--build-context` items by name; folders that `isShared` says the daemon may see are named, the others are to be sent. */
export function readBuildContexts(
  items: readonly string[],
  isShared: boolean,
): { readonly contexts: BuildContexts; readonly sent: ReadonlyMap<string, string> } {
  const sent = new Map<string, string>();
  const entries = items.map((item): readonly [string, BuildContextRequest] => {
    const equals = item.indexOf("=");
    const [name, value] = [item.slice(0, equals), item.slice(equals + 1)];
    if (equals <= 0 || value === "")
      throw new Error(`invalid build context ${JSON.stringify(item)}, expected name=value`);
    if (value.startsWith("docker-image://")) return [name, { Image: value.slice("docker-image://".length) }];
    if (/^(?:oci-layout|target):\/\//.test(value))
      throw new Error(
        `build contexts of ${value.split(":")[0]} are not supported: load the image, and name it with docker-image://`,
      );
    if (isRemote(value)) return [name, { URL: value }];
    const path = resolve(value);
    if (isShared) return [name, { Folder: path, FolderID: folderId(path) }];
    sent.set(name, path);
    return [name, { Sent: true }];
  });
  return { contexts: Object.fromEntries(entries), sent };
}

function json(value: object): string | undefined {
  return Object.keys(value).length === 0 ? undefined : JSON.stringify(value);
}

/** A bare name has its value here, or is left out. */
function readArgs(items: readonly string[], env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    items.flatMap((item): [string, string][] => {
      const equals = item.indexOf("=");
      if (equals >= 0) return [[item.slice(0, equals), item.slice(equals + 1)]];
      const own = env[item];
      return own === undefined ? [] : [[item, own]];
    }),
  );
}

function readHost(item: string): string {
  const [, name, address] = /^([^:=]+)[:=](.+)$/.exec(item) ?? [];
  if (name === undefined) throw new Error(`bad format for add-host: ${JSON.stringify(item)}`);
  return `${name}:${address}`;
}

/** An image's name alone is a registry's; a folder is named in full, with what we see there, and one to write to is made. */
function cachePlace(item: string, folderKey: "src" | "dest"): BuildOutput {
  if (!item.includes("=")) return { Type: "registry", Attrs: { ref: item } };
  const { type = "", ...attributes } = csvPairs(item);
  const folder = attributes[folderKey];
  if (folder === undefined || type !== "local") return { Type: type, Attrs: attributes };
  const path = resolve(folder);
  if (folderKey === "dest") mkdirSync(path, { recursive: true });
  // One that is not there is the daemon's to tell of.
  const id = existsSync(path) ? { [`${folderKey}id`]: folderId(path) } : {};
  return { Type: type, Attrs: { ...attributes, [folderKey]: path, ...id } };
}

function readAttestations(values: BuildValues): { readonly provenance: string; readonly sbom: boolean } {
  let provenance = provenanceOf(values.provenance);
  let sbom = values.sbom !== "" && values.sbom !== "false" && values.sbom !== "0";
  for (const item of values.attest) {
    const { type, mode, disabled } = csvPairs(item);
    const isOff = disabled === "true";
    if (type === "sbom") sbom = !isOff;
    else if (type === "provenance")
      provenance = isOff ? "off" : provenanceOf(mode === undefined ? "true" : `mode=${mode}`);
    else throw new Error(`attestation type must be sbom or provenance: ${JSON.stringify(item)}`);
  }
  return { provenance, sbom };
}

function provenanceOf(text: string): string {
  if (text === "" || text === "false" || text === "0") return "off";
  if (text === "true" || text === "1") return "min";
  const mode = csvPairs(text)["mode"] ?? text;
  if (mode !== "min" && mode !== "max")
    throw new Error(`invalid provenance ${JSON.stringify(text)}: use true, false, mode=min or mode=max`);
  return mode;
}
