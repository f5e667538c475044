import { execFileSync } from "node:child_process";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createReadStream } from "node:fs";
import type { Digest } from "#core/digest";
import type { Event } from "#core/event";
import { type Host, openHost } from "#host";
import { type Images, type Lease, openImages } from "#images";
import { type Networks, openNetworks } from "#networks";
import { openVolumes } from "#volumes";
import { noLimits } from "../config/blank-spec.ts";
import type { Containers, StepEnd, StepRequest } from "../containers.ts";
import { openContainers } from "../open.ts";
import { makeBedFolder, shimPath } from "./bed.ts";

/** For tests of steps: the room over real images, with a stack that has busybox. */
export interface StepBed extends AsyncDisposable {
  readonly dir: string;
  readonly host: Host;
  readonly images: Images;
  readonly networks: Networks;
  readonly containers: Containers;
  readonly events: Event[];
  readonly unexpected: unknown[];
  readonly lease: Lease;
  /** The stack with busybox. */
  readonly below: Digest;
  /** Runs a shell text; what is given changes the request. */
  step(
    text: string,
    changes?: Partial<StepRequest>,
    signal?: AbortSignal,
  ): Promise<StepEnd & { readonly stdout: string; readonly stderr: string }>;
  /** What is left of containers, roots, groups and runtimes. */
  leftovers(): Promise<string[]>;
}

/** Opens the bed in a folder of its own, or in the one that a killed process left. */
export async function openStepBed(
  given: { readonly left?: string; readonly usernsRemap?: string; readonly dataRoot?: string } = {},
): Promise<StepBed> {
  const dir = given.left ?? (await makeBedFolder());
  const dataRoot = given.dataRoot ?? join(dir, "data");
  const host = await openHost({ dataRoot, execRoot: join(dir, "exec"), shimPath });
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
  const networks = await openNetworks({
    ...shared,
    mtu: 1500,
    warmSlots: 2,
    mapsUsers: given.usernsRemap !== undefined,
  });
  const unexpected: unknown[] = [];
  const containers = await openContainers({
    ...shared,
    host,
    images,
    networks,
    volumes: await openVolumes(shared),
    shimPath,
    onUnexpected: (error) => void unexpected.push(error),
    ...(given.usernsRemap !== undefined && { usernsRemap: given.usernsRemap }),
  });
  const lease = images.layers.lease();
  const tar = join(dir, "image.tar");
  execFileSync("tar", ["-cf", tar, "--numeric-owner", "--owner=0", "--group=0", "-C", join(dir, "image"), "."]);
  const signal = new AbortController().signal;
  const { stack: below } = await images.layers.add(undefined, createReadStream(tar), lease, signal);
  return {
    dir,
    host,
    images,
    networks,
    containers,
    events,
    unexpected,
    lease,
    below,
    step: async (text, changes = {}, stop = signal) => {
      const output = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
      const onOutput = (stream: "stdout" | "stderr", bytes: Uint8Array): void => void output[stream].push(bytes);
      const request = { ...plainStep(below, ["sh", "-c", text]), onOutput, ...changes };
      const end = await containers.runStep(request, lease, stop);
      const text_ = (pieces: Uint8Array[]): string => Buffer.concat(pieces).toString();
      return { ...end, stdout: text_(output.stdout), stderr: text_(output.stderr) };
    },
    leftovers: async () => {
      const list = async (path: string): Promise<string[]> => await readdir(path).catch(() => []);
      const { execRoot } = host.paths;
      const places = [
        join(dataRoot, "roots"),
        join(dataRoot, "containers"),
        join(execRoot, "containers"),
        join(execRoot, "runtime"),
      ];
      const found = await Promise.all(
        places.map(async (place) => (await list(place)).map((name) => join(place, name))),
      );
      return [...found.flat(), ...(await host.cgroups.list()).filter((path) => /[0-9a-f]{64}/.test(path))];
    },
    async [Symbol.asyncDispose]() {
      await lease[Symbol.asyncDispose]();
      await containers.close({ stopContainers: true });
      await networks.close();
      const { stopZygote } = await import("../../host/shim/shim.ts");
      await stopZygote(join(host.paths.execRoot, "shim.sock"));
      await host[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
      if (unexpected.length > 0) throw new AggregateError(unexpected, "failures that nobody waited for");
    },
  };
}

/** A step that asks for nothing but to run. */
export function plainStep(below: Digest | undefined, args: readonly string[]): StepRequest {
  return {
    below,
    args,
    env: ["PATH=/bin"],
    user: "",
    workingDir: "/",
    hostname: "buildkitsandbox",
    networkMode: "none",
    extraHosts: [],
    shmSizeBytes: 64 << 20,
    ulimits: [],
    limits: noLimits,
    privileged: false,
    mounts: [],
    onOutput: () => undefined,
  };
}
