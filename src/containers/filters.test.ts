import assert from "node:assert/strict";
import { test } from "node:test";
import type { Digest } from "#core/digest";
import { Fault, isFault } from "#core/fault";
import type { ContainerSpec, ContainerState } from "./containers.ts";
import { type FilterFacts, type ListOptions, selectContainers, selectPrunable } from "./filters.ts";
import type { ContainerRecord } from "./store.ts";
import { plainSpec } from "./testing/plain-spec.ts";

const exited = (exitCode: number): ContainerState => ({
  status: "exited",
  exitCode,
  oomKilled: false,
  startedNs: 1n,
  finishedNs: 2n,
  error: "",
});
const running: ContainerState = { status: "running", pid: 1, startedNs: 1n };

function record(
  name: string,
  createdNs: bigint,
  state: ContainerState,
  spec: Partial<ContainerSpec> = {},
  labels: Record<string, string> = {},
): ContainerRecord {
  return {
    id: name.padEnd(64, "0"),
    name,
    createdNs,
    spec: { ...plainSpec, ...spec },
    imageId: (spec.image ?? "i1") as Digest,
    process: {
      args: [],
      entrypoint: [],
      command: [],
      env: [],
      workingDir: "/",
      user: "",
      stopSignal: "SIGTERM",
      labels,
      exposedPorts: ["9000/tcp"],
    },
    hostname: name,
    mounts: [
      {
        kind: "volume",
        name: "data",
        source: "/srv/volumes/data",
        driver: "local",
        target: `/${name}`,
        readOnly: false,
        options: {},
        labels: {},
        noCopy: false,
        named: true,
      },
    ],
    state,
    restartCount: 0,
    stoppedByHand: false,
    logPath: "",
    files: { hosts: "", hostname: "", resolvConf: "" },
  };
}

const web = record(
  "aweb",
  1n,
  running,
  {
    networkMode: "bridge",
    ports: [{ protocol: "tcp", containerPort: 80, hostIp: "", hostPort: { first: 8080, last: 8080 } }],
  },
  { app: "web", tier: "front" },
);
const db = record("bdb", 2n, exited(3), { image: "i2" }, { app: "db" });
const job = record("cjob", 3n, { status: "created" });
const still = record("dpaused", 4n, { status: "paused", pid: 2, startedNs: 1n });
const everything = [web, db, job, still];

const facts: FilterFacts = {
  imageIds: (name) => (name === "postgres" ? ["i2" as Digest] : []),
  find: (name) => {
    const found = everything.find((one) => one.name === name);
    if (found === undefined) throw new Fault("notFound", `No such container: ${name}`);
    return found;
  },
  healthOf: ({ name }) => (name === web.name ? "unhealthy" : "none"),
  networksOf: (id) => (id === web.id ? ["bridge", "f00d"] : []),
};

function names(options: Partial<ListOptions>): string[] {
  return selectContainers(everything, { all: true, filters: {}, ...options }, facts).map((one) => one.name);
}

test("selectContainers: running and paused ones, all, or the last few; newest first", () => {
  assert.deepEqual(names({ all: false }), ["dpaused", "aweb"]);
  assert.deepEqual(names({}), ["dpaused", "cjob", "bdb", "aweb"]);
  assert.deepEqual(names({ all: false, limit: 3 }), ["dpaused", "cjob", "bdb"]);
});

const cases: [ListOptions["filters"], string[]][] = [
  [{ status: ["exited", "created"] }, ["cjob", "bdb"]],
  [{ name: ["^/a", "job$"] }, ["cjob", "aweb"]],
  [{ id: ["bdb"] }, ["bdb"]],
  [{ label: ["app"] }, ["bdb", "aweb"]],
  [{ label: ["app=web", "tier"] }, ["aweb"]],
  [{ label: ["toString"] }, []],
  [{ exited: ["3"] }, ["bdb"]],
  [{ exited: ["0"] }, []],
  [{ ancestor: ["postgres"] }, ["bdb"]],
  [{ before: ["cjob"] }, ["bdb", "aweb"]],
  [{ since: ["bdb"] }, ["dpaused", "cjob"]],
  [{ network: ["f00d"] }, ["aweb"]],
  [{ volume: ["/aweb"] }, ["aweb"]],
  [{ volume: ["data"] }, ["dpaused", "cjob", "bdb", "aweb"]],
  [{ volume: ["/srv/volumes/data", "none"], name: ["web"] }, ["aweb"]],
  [{ volume: ["dat"] }, []],
  [{ publish: ["8080"] }, ["aweb"]],
  [{ publish: ["8000-9000/tcp"] }, ["aweb"]],
  [{ expose: ["80"] }, ["aweb"]],
  [{ expose: ["9000/udp"] }, []],
  [{ health: ["healthy"] }, []],
  [{ health: ["unhealthy", "healthy"] }, [web.name]],
  [{ health: ["none"], status: ["paused"] }, ["dpaused"]],
  [{ "is-task": ["true"] }, []],
];

for (const [filters, expected] of cases) {
  test(`selectContainers: ${JSON.stringify(filters)}`, () => assert.deepEqual(names({ filters }), expected));
}

test("selectContainers: values that make no sense are refused", () => {
  for (const filters of [
    { status: ["gone"] },
    { exited: ["x"] },
    { publish: ["x"] },
    { name: ["("] },
    { colour: ["red"] },
  ]) {
    assert.throws(
      () => names({ filters }),
      (error) => isFault(error, "invalid"),
    );
  }
  assert.throws(
    () => names({ filters: { before: ["nobody"] } }),
    (error) => isFault(error, "notFound"),
  );
});

test("selectPrunable: what does not run, by label and age", () => {
  const pruned = (filters: ListOptions["filters"], nowNs = 0n): string[] =>
    selectPrunable(everything, filters, nowNs).map((one) => one.name);
  assert.deepEqual(pruned({}), ["bdb", "cjob"]);
  assert.deepEqual(pruned({ label: ["app=db"] }), ["bdb"]);
  assert.deepEqual(pruned({ "label!": ["app"] }), ["cjob"]);
  assert.deepEqual(pruned({ until: ["1h"] }, 3_600_000_000_003n), ["bdb"]);
  assert.deepEqual(pruned({ until: ["2020-01-01T00:00:00Z"] }), ["bdb", "cjob"]);
  assert.throws(
    () => pruned({ until: ["yesterday"] }),
    (error) => isFault(error, "invalid"),
  );
});
