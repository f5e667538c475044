import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Digest } from "#core/digest";
import type { Event } from "#core/event";
import { openLog } from "#core/log";
import { type Containers, noLimits, openContainers } from "#containers";
import { type Host, openHost } from "#host";
import { chainIdsOf, type Images, openImages } from "#images";
import { type Networks, openNetworks } from "#networks";
import { openVolumes } from "#volumes";
import { busyboxArchive } from "#fixtures/images";
import type { Builder, BuildEvent, BuildRequest, BuildResult } from "../build.ts";
import { openBuilder } from "../open.ts";

const shimPath = resolve(import.meta.dirname, "../../../build/shim/slipway-shim");

/** For tests: the builder on a real machine, with `busybox:latest` in the store. */
export interface BuildBed extends AsyncDisposable {
  readonly folder: string;
  readonly host: Host;
  readonly images: Images;
  readonly containers: Containers;
  readonly networks: Networks;
  readonly events: Event[];
  builder: Builder;
  /** Ends the builder's room as a kill would, and opens it anew. */
  reopen(): Promise<void>;
  /** A folder of the files, by path. */
  context(files: Readonly<Record<string, string>>): Promise<string>;
  /** Builds from a folder of the files and a Dockerfile; throws what the build throws, with `told` on it. */
  build(dockerfile: string, given?: GivenBuild): Promise<Built>;
  /** What a command says in a container of the image. */
  inside(image: Digest | undefined, command: string): Promise<string>;
}

export interface GivenBuild extends Partial<BuildRequest> {
  readonly files?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Built {
  readonly result: BuildResult;
  readonly told: readonly BuildEvent[];
  /** Outcomes of the Dockerfile's steps that change files, by instruction. */
  readonly outcomes: Readonly<Record<string, string>>;
  /** All output. */
  readonly output: string;
}

export const plainBuild: Omit<BuildRequest, "context" | "dockerfile"> = {
  tags: [],
  args: {},
  labels: {},
  platforms: [],
  contexts: {},
  noCache: false,
  pull: false,
  cacheFrom: [],
  cacheTo: [],
  secrets: new Map(),
  sshAgents: new Map(),
  outputs: [],
  squash: false,
  network: "default",
  extraHosts: [],
  shmSizeBytes: 64 << 20,
  ulimits: [],
  limits: {
    memoryBytes: 0,
    memorySwapBytes: 0,
    cpuShares: 0,
    cpuQuota: 0,
    cpuPeriod: 0,
    cpusetCpus: "",
    cpusetMems: "",
  },
  entitlements: new Set(),
  provenance: "off",
  sbom: false,
  credentials: () => undefined,
  checkOnly: false,
  explain: false,
};

/** Opens the room, with all below it, in a folder of its own. */
export async function openBuildBed(): Promise<BuildBed> {
  await using undo = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "slipway-build-"));
  undo.defer(async () => await rm(folder, { recursive: true, force: true }));
  const host = undo.use(
    await openHost({ dataRoot: join(folder, "data"), execRoot: join(folder, "exec"), shimPath }),
  );
  const events: Event[] = [];
  const sink = { emit: (event: Omit<Event, "timeNs">) => void events.push({ timeNs: host.clock.now(), ...event }) };
  const shared = { ...host, events: sink };
  const images = await openImages({
    ...shared,
    bootId: host.machine.bootId,
    insecureRegistries: [],
    registryMirrors: [],
    maxConcurrentDownloads: 3,
  });
  const networks = await openNetworks({ ...shared, mtu: 1500, warmSlots: 4 });
  undo.defer(async () => await networks.close());
  const unexpected: unknown[] = [];
  undo.defer(() => {
    if (unexpected.length > 0) throw new AggregateError(unexpected, "failures that nobody waited for");
  });
  const containers = await openContainers({
    ...shared,
    host,
    images,
    networks,
    volumes: await openVolumes({ ...shared }),
    shimPath,
    onUnexpected: (error) => void unexpected.push(error),
  });
  undo.defer(async () => await containers.close({ stopContainers: true }));
  const log = openLog("error", (line) => process.stderr.write(line));
  const open = async (): Promise<Builder> =>
    await openBuilder({ host, images, containers, clock: host.clock, events: sink, log });
  for await (const _ of images.load(createReadStream(await busyboxArchive()), { quiet: true }, noAbort));
  const held = { builder: await open(), contexts: 0 };
  undo.defer(async () => await held.builder.close());
  const moved = undo.move();
  const bed: BuildBed = {
    folder,
    host,
    images,
    containers,
    networks,
    events,
    get builder() {
      return held.builder;
    },
    async reopen() {
      held.builder = await open();
    },
    async context(files) {
      const place = join(folder, `context-${held.contexts++}`);
      await mkdir(place);
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(place, path)), { recursive: true });
        await writeFile(join(place, path), text);
      }
      return place;
    },
    async build(dockerfile, { files = {}, signal = noAbort, ...given } = {}) {
      const context = given.context ?? { kind: "folder", path: await bed.context(files) };
      const request: BuildRequest = { ...plainBuild, context, dockerfile: { text: dockerfile }, ...given };
      return await follow(held.builder.build(request, signal));
    },
    async inside(image, command) {
      if (image === undefined) throw new Error("no image");
      const said: Uint8Array[] = [];
      await using lease = images.layers.lease();
      const end = await containers.runStep(
        {
          below: chainIdsOf(images.find(image).config.rootfs.diff_ids).at(-1),
          args: ["/bin/sh", "-c", command],
          env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
          user: "",
          workingDir: "/",
          hostname: "test",
          networkMode: "none",
          extraHosts: [],
          shmSizeBytes: 64 << 20,
          ulimits: [],
          limits: noLimits,
          privileged: false,
          mounts: [],
          onOutput: (_, bytes) => void said.push(bytes),
        },
        lease,
        noAbort,
      );
      const text = Buffer.concat(said).toString();
      if (end.exitCode !== 0) throw new Error(`${command}: ${end.exitCode}: ${text}`);
      return text;
    },
    [Symbol.asyncDispose]: async () => await moved.disposeAsync(),
  };
  return bed;
}

/** A build that failed: what it was of, and what was told before. */
export class FailedBuild extends Error {
  readonly told: readonly BuildEvent[];
  readonly output: string;

  constructor(cause: unknown, told: readonly BuildEvent[]) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.told = told;
    this.output = outputOf(told);
  }
}

async function follow(events: AsyncIterable<BuildEvent>): Promise<Built> {
  const told: BuildEvent[] = [];
  try {
    for await (const event of events) told.push(event);
  } catch (error) {
    throw new FailedBuild(error, told);
  }
  const last = told.at(-1);
  if (last?.kind !== "result") throw new Error("a build without a result");
  return { result: last.result, told, outcomes: outcomesOf(told), output: outputOf(told) };
}

function outputOf(told: readonly BuildEvent[]): string {
  return Buffer.concat(told.flatMap((event) => (event.kind === "output" ? [event.bytes] : []))).toString();
}

function outcomesOf(told: readonly BuildEvent[]): Record<string, string> {
  const steps = told.flatMap((event) => (event.kind === "plan" ? event.steps : []));
  const outcomes = new Map(told.flatMap((event) => (event.kind === "ended" ? [[event.step, event.outcome]] : [])));
  return Object.fromEntries(
    steps
      .filter(({ number, isMetadata }) => number > 0 && isMetadata !== true)
      .map(({ id, instruction }) => [instruction, outcomes.get(id) ?? "not run"]),
  );
}

const noAbort = new AbortController().signal;
