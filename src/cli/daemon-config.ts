import { readFileSync } from "node:fs";
import { Fault } from "#core/fault";
import type { Flag, FlagTable } from "./flags/flag.ts";

/** The config file when `--config-file` is not given; it may be absent. */
export const defaultConfigFile = "/etc/slipway/daemon.json";

/** How a key of the config file meets its flag. */
export interface Directive {
  /** The flag's name, where it differs from the key. */
  readonly flag?: string;
  readonly kind: "text" | "number" | "boolean" | "texts" | "map" | "runtimes" | "ulimits" | "pools";
}

/** The keys of dockerd's config file that we know. */
export const directives: Readonly<Record<string, Directive>> = {
  bip: { kind: "text" },
  bridge: { kind: "text" },
  "cdi-spec-dirs": { flag: "cdi-spec-dir", kind: "texts" },
  "cgroup-parent": { kind: "text" },
  "data-root": { kind: "text" },
  debug: { kind: "boolean" },
  "default-address-pools": { flag: "default-address-pool", kind: "pools" },
  "default-runtime": { kind: "text" },
  "default-ulimits": { flag: "default-ulimit", kind: "ulimits" },
  "disk-budget": { kind: "text" },
  "disk-budget-keep": { kind: "texts" },
  "exec-root": { kind: "text" },
  firewall: { kind: "text" },
  group: { kind: "text" },
  hosts: { flag: "host", kind: "texts" },
  init: { kind: "boolean" },
  "insecure-registries": { flag: "insecure-registry", kind: "texts" },
  labels: { flag: "label", kind: "texts" },
  "log-driver": { kind: "text" },
  "log-level": { kind: "text" },
  "log-opts": { flag: "log-opt", kind: "map" },
  "max-concurrent-downloads": { kind: "number" },
  mtu: { kind: "number" },
  pidfile: { kind: "text" },
  "registry-mirrors": { flag: "registry-mirror", kind: "texts" },
  runtimes: { flag: "add-runtime", kind: "runtimes" },
  "scrub-days": { kind: "number" },
  "stop-containers-on-exit": { kind: "boolean" },
  tls: { kind: "boolean" },
  tlscacert: { kind: "text" },
  tlscert: { kind: "text" },
  tlskey: { kind: "text" },
  tlsverify: { kind: "boolean" },
  "userns-remap": { kind: "text" },
};

/** Several values that Docker takes from both places. */
const mergeable = new Set(["insecure-registries", "registry-mirrors", "runtimes"]);

/**
 * The flags' values with those of the config file put in where no flag was given. Faults: `invalid` for an unknown key, a value of the
 * wrong type, or a directive given in both places; the wording is dockerd's.
 */
export function mergeConfigFile<Values extends object>(
  table: FlagTable,
  values: Values,
  changed: ReadonlySet<string>,
  path: string,
  required: boolean,
): Values {
  const config = readConfig(path, required);
  if (config === undefined) return values;
  const broken = (message: string): Fault =>
    new Fault("invalid", `unable to configure the daemon with file ${path}: ${message}`);
  const unknown = Object.keys(config).filter((key) => !Object.hasOwn(directives, key));
  if (unknown.length > 0) {
    throw broken(`the following directives don't match any configuration option: ${unknown.sort().join(", ")}`);
  }
  const merged: Record<string, unknown> = { ...(values as Record<string, unknown>) };
  const conflicts: string[] = [];
  for (const [key, value] of Object.entries(config)) {
    const directive = directives[key];
    if (directive === undefined) continue;
    const name = directive.flag ?? key;
    if (changed.has(name) && !mergeable.has(key)) {
      conflicts.push(`${key}: (from flag: ${show(merged[name])}, from file: ${show(value)})`);
      continue;
    }
    const items = itemsOf(directive, value);
    if (items === undefined) throw broken(`${key}: a value of another type is needed: ${directive.kind}`);
    merged[name] = applied(table[name], items, merged[name], (message) => broken(`${key}: ${message}`));
  }
  if (conflicts.length > 0) {
    throw broken(
      `the following directives are specified both as a flag and in the configuration file: ${conflicts.join(", ")}`,
    );
  }
  return merged as Values;
}

function readConfig(path: string, required: boolean): Readonly<Record<string, unknown>> | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT" && !required) return undefined;
    throw new Fault("invalid", `unable to configure the daemon with file ${path}: open ${path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  try {
    const parsed: unknown = text.trim() === "" ? {} : JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>;
  } catch (error) {
    throw new Fault("invalid", `unable to configure the daemon with file ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  throw new Fault("invalid", `unable to configure the daemon with file ${path}: it holds no JSON object`);
}

function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  return code === "ENOENT" ? "no such file or directory" : message;
}

/** The value as the texts that its flag would be given; undefined: it has the wrong type. */
function itemsOf({ kind }: Directive, value: unknown): readonly string[] | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  switch (kind) {
    case "text":
      return typeof value === "string" ? [value] : undefined;
    case "number":
      return Number.isSafeInteger(value) ? [String(value)] : undefined;
    case "boolean":
      return typeof value === "boolean" ? [String(value)] : undefined;
    case "texts":
      return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
    case "map":
      return isObject ? Object.entries(value).map(([name, item]) => `${name}=${String(item)}`) : undefined;
    case "pools":
      return Array.isArray(value) ? value.map(poolText) : undefined;
    case "ulimits":
      return isObject ? Object.entries(value).map(ulimitText) : undefined;
    default:
      return isObject
        ? Object.entries(value).map(([name, item]) => `${name}=${(item as { path?: string } | null)?.path ?? ""}`)
        : undefined;
  }
}

/** `{"base": "10.0.0.0/8", "size": 24}` */
function poolText(value: unknown): string {
  const fields = Object.entries((value ?? {}) as Readonly<Record<string, unknown>>);
  return fields.map(([name, item]) => `${name}=${String(item)}`).join(",");
}

/** `"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 4096}` */
function ulimitText([name, value]: [string, unknown]): string {
  const { Name: named = name, Soft: soft, Hard: hard } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return `${String(named)}=${String(soft)}:${String(hard)}`;
}

function applied(
  flag: Flag<unknown> | undefined,
  items: readonly string[],
  previous: unknown,
  broken: (message: string) => Fault,
): unknown {
  if (flag === undefined) return previous;
  try {
    let value = Array.isArray(previous) ? previous : flag.initial;
    for (const item of items) value = flag.parse(item, value, false);
    return value;
  } catch (error) {
    throw broken((error as Error).message);
  }
}

function show(value: unknown): string {
  if (Array.isArray(value)) return `[${value.join(" ")}]`;
  return typeof value === "string" ? value : JSON.stringify(value);
}
