import { fitsLabels, hasLabel } from "#core/label";
import { Fault } from "#core/fault";
import type { Digest } from "#core/digest";
import type { ContainerFilters, ContainerMount, Health } from "./containers.ts";
import { isRunning } from "./state.ts";
import type { ContainerRecord } from "./store.ts";

/** What the filters of `ps` have to look up elsewhere. */
export interface FilterFacts {
  /** Ids of the image that the name stands for; empty when there is none. */
  readonly imageIds: (name: string) => readonly Digest[];
  /** Faults `notFound` when there is no such container. */
  readonly find: (nameOrId: string) => ContainerRecord;
  /** `none` without a check. */
  readonly healthOf: (record: ContainerRecord) => Health["status"] | "none";
  /** The network's name and id a container is on, while it runs. */
  readonly networksOf: (id: string) => readonly string[];
}

export interface ListOptions {
  readonly all: boolean;
  readonly limit?: number;
  readonly filters: ContainerFilters;
}

/** The containers that `ps` shows with those options, newest first. Faults `invalid` for values that make no sense. */
export function selectContainers(
  records: Iterable<ContainerRecord>,
  options: ListOptions,
  facts: FilterFacts,
): ContainerRecord[] {
  const limit = options.limit !== undefined && options.limit > 0 ? options.limit : undefined;
  const everyState = options.all || limit !== undefined || "status" in options.filters;
  const tests = Object.entries(options.filters)
    .filter(([, values]) => values.length > 0)
    .map(([key, values]) => testOf(key, values, facts));
  const chosen = [...records]
    .filter((record) => everyState || isRunning(record.state) || record.state.status === "restarting")
    .filter((record) => tests.every((test) => test(record)))
    .sort((left, right) => Number(right.createdNs - left.createdNs));
  return limit === undefined ? chosen : chosen.slice(0, limit);
}

/** The containers that `prune` removes: not running, and matching `until` and `label`. */
export function selectPrunable(
  records: Iterable<ContainerRecord>,
  filters: ContainerFilters,
  nowNs: bigint,
): ContainerRecord[] {
  if ((filters["until"]?.length ?? 0) > 1) throw new Fault("invalid", "more than one until filter specified");
  const until = (filters["until"] ?? []).map((text) => parseUntil(text, nowNs));
  return [...records].filter(
    (record) =>
      ["created", "exited", "dead"].includes(record.state.status) &&
      until.every((limitNs) => record.createdNs < limitNs) &&
      fitsLabels(record.process.labels, filters),
  );
}

type Test = (record: ContainerRecord) => boolean;

const statuses = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];

function testOf(key: string, values: readonly string[], facts: FilterFacts): Test {
  const any =
    (matches: (record: ContainerRecord, value: string) => boolean): Test =>
    (record) =>
      values.some((value) => matches(record, value));
  switch (key) {
    case "id":
      return any((record, value) => record.id.startsWith(value));
    case "name": {
      const patterns = values.map(parsePattern);
      return (record) => patterns.some((pattern) => pattern.test(record.name) || pattern.test(`/${record.name}`));
    }
    case "label":
      return (record) => values.every((label) => hasLabel(record.process.labels, label));
    case "status":
      checkAmong("status", values, statuses);
      return any((record, value) => shownStatus(record) === value);
    case "exited": {
      const codes = new Set(values.map((value) => parseCode(value)));
      return ({ state }) => state.status === "exited" && codes.has(state.exitCode);
    }
    case "ancestor": {
      const ids = new Set(values.flatMap((value) => facts.imageIds(value)));
      return any((record, value) => ids.has(record.imageId) || record.spec.image === value);
    }
    case "before":
      return olderOrNewer(values, facts, (record, other) => record.createdNs < other.createdNs);
    case "since":
      return olderOrNewer(values, facts, (record, other) => record.createdNs > other.createdNs);
    case "network":
      return any((record, value) => networkNames(record, facts).includes(value));
    case "volume":
      return any(({ mounts }, value) => mounts.some((mount) => isOf(mount, value)));
    case "publish":
      return any(({ spec }, value) =>
        spec.ports.some((port) => inPortFilter(value, port.hostPort.first, port.protocol)),
      );
    case "expose":
      return any((record, value) =>
        exposedPorts(record).some(([port, protocol]) => inPortFilter(value, port, protocol)),
      );
    case "health":
      checkAmong("health", values, ["starting", "healthy", "unhealthy", "none"]);
      return any((record, value) => facts.healthOf(record) === value);
    case "isolation":
      return any((_record, value) => value === "default" || value === "");
    case "is-task":
      return () => values.some((value) => ["false", "0"].includes(value.toLowerCase()));
    default:
      throw new Fault("invalid", `invalid filter '${key.slice(0, 60)}'`);
  }
}

/** A container that is being started is still shown as it was before. */
function shownStatus({ state }: ContainerRecord): string {
  return state.status === "starting" ? "created" : state.status;
}

function olderOrNewer(
  values: readonly string[],
  facts: FilterFacts,
  compare: (record: ContainerRecord, other: ContainerRecord) => boolean,
): Test {
  const others = values.map(facts.find);
  return (record) => others.every((other) => compare(record, other));
}

function networkNames({ id, spec }: ContainerRecord, facts: FilterFacts): readonly string[] {
  const names = spec.endpoints.length === 0 ? [spec.networkMode] : spec.endpoints.map(({ network }) => network);
  return [...names, ...facts.networksOf(id)];
}

function exposedPorts({ spec, process }: ContainerRecord): [number, string][] {
  const exposed = process.exposedPorts.map((text): [number, string] => {
    const [port = "", protocol = "tcp"] = text.split("/");
    return [Number(port), protocol];
  });
  return [...exposed, ...spec.ports.map((port): [number, string] => [port.containerPort, port.protocol])];
}

/** By its place in the container, or what is there: a volume's name or a path of the host. */
function isOf(mount: ContainerMount, value: string): boolean {
  if (mount.target === value) return true;
  if (mount.kind === "volume") return mount.name === value || mount.source === value;
  return mount.kind === "bind" && mount.source === value;
}

/** `80`, `80/udp`, `8000-8010/tcp`. */
function inPortFilter(filter: string, port: number, protocol: string): boolean {
  const [, first, last = first, wanted = "tcp"] = /^([0-9]{1,5})(?:-([0-9]{1,5}))?(?:\/([a-z]+))?$/.exec(filter) ?? [];
  if (first === undefined || last === undefined)
    throw new Fault("invalid", `invalid port filter: ${filter.slice(0, 60)}`);
  return wanted === protocol && port >= Number(first) && port <= Number(last);
}

/** Go's and JavaScript's regular expressions agree on what people write for names; a length bound keeps the rest harmless. */
function parsePattern(text: string): RegExp {
  try {
    return new RegExp(text.slice(0, 256));
  } catch (error) {
    throw new Fault("invalid", `invalid filter 'name=${text.slice(0, 60)}'`, { cause: error });
  }
}

function parseCode(text: string): number {
  if (!/^-?[0-9]+$/.test(text)) throw new Fault("invalid", `invalid filter 'exited=${text.slice(0, 60)}'`);
  return Number(text);
}

function checkAmong(key: string, values: readonly string[], known: readonly string[]): void {
  const wrong = values.find((value) => !known.includes(value));
  if (wrong !== undefined) throw new Fault("invalid", `invalid filter '${key}=${wrong.slice(0, 60)}'`);
}

/** A Go duration before now, unix seconds, or an RFC 3339 time; in nanoseconds since 1970. */
function parseUntil(text: string, nowNs: bigint): bigint {
  if (/^[0-9]+(?:\.[0-9]+)?$/.test(text)) return BigInt(Math.round(Number(text) * 1000)) * 1_000_000n;
  const parts = [...text.matchAll(/([0-9]+(?:\.[0-9]+)?)(h|ms|m|s)/g)];
  if (parts.length > 0 && parts.map((part) => part[0]).join("") === text) {
    const unitMs: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
    const totalMs = parts.reduce((sum, part) => sum + Number(part[1]) * (unitMs[part[2] ?? ""] ?? 0), 0);
    return nowNs - BigInt(Math.round(totalMs)) * 1_000_000n;
  }
  const timeMs = Date.parse(text);
  if (Number.isNaN(timeMs)) throw new Fault("invalid", `invalid filter 'until=${text.slice(0, 60)}'`);
  return BigInt(timeMs) * 1_000_000n;
}
