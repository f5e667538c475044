/** The door of `build/`: Dockerfiles become graphs, graphs become layers and images; with the cache of what was built. */
import type { Clock } from "#core/clock";
import type { Digest } from "#core/digest";
import type { EventSink } from "#core/event";
import type { Log } from "#core/log";
import type { Platform } from "#core/oci";
import type { Reference } from "#core/reference";
import type { Containers, Ulimit } from "#containers";
import type { Host } from "#host";
import type { Images, RegistryAuth } from "#images";
import type { Span, Warning } from "#core/dockerfile/dockerfile";

/** What a person asked for; checked at the API's edge. */
export interface BuildRequest {
  /** Under which `cancel` finds it, and it is listed; made when absent. */
  readonly id?: string;
  readonly context: ContextRequest;
  /** Path in the context; or the file's own text, when it came by itself. */
  readonly dockerfile: { readonly path: string } | { readonly text: string };
  readonly tags: readonly Reference[];
  readonly target?: string;
  /** Undefined: taken from the daemon's environment, as `--build-arg NAME` says (then absent there too: not set). */
  readonly args: Readonly<Record<string, string | undefined>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly platforms: readonly Platform[];
  /** `--annotation`: of the manifest. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** `--build-context name=…`. */
  readonly contexts: Readonly<Record<string, ContextRequest | { readonly kind: "image"; readonly reference: string }>>;
  readonly noCache: boolean | { readonly stages: readonly string[] };
  /** Look for newer base images. */
  readonly pull: boolean;
  readonly cacheFrom: readonly CacheLocation[];
  readonly cacheTo: readonly CacheLocation[];
  /** Never logged, never stored. */
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  /** Paths of agents' sockets on this machine, by id. */
  readonly sshAgents: ReadonlyMap<string, string>;
  /** None: only the cache is filled. */
  readonly outputs: readonly Output[];
  readonly squash: boolean;
  readonly network: string;
  readonly extraHosts: readonly string[];
  readonly shmSizeBytes: number;
  readonly ulimits: readonly Ulimit[];
  readonly cgroupParent?: string;
  readonly limits: BuildLimits;
  /** `--allow`: `security.insecure`, `network.host`. */
  readonly entitlements: ReadonlySet<string>;
  /** Seconds since 1970 for all times in the result; undefined: the build argument SOURCE_DATE_EPOCH, else the clock's. */
  readonly sourceDateEpoch?: number;
  readonly provenance: "off" | "min" | "max";
  readonly sbom: boolean;
  readonly credentials: (registry: string) => RegistryAuth | undefined;
  /** Only look: rules of lint and errors, nothing is built. */
  readonly checkOnly: boolean;
  /** Tell for each step why it ran or did not. */
  readonly explain: boolean;
}

/** Of each RUN; 0: none. */
export interface BuildLimits {
  readonly memoryBytes: number;
  readonly memorySwapBytes: number;
  readonly cpuShares: number;
  readonly cpuQuota: number;
  readonly cpuPeriod: number;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
}

export type ContextRequest =
  | { readonly kind: "archive"; readonly bytes: AsyncIterable<Uint8Array> }
  /** A folder of this machine, named by somebody who may read all of it. */
  | { readonly kind: "folder"; readonly path: string }
  /** Git or http(s): `https://host/repo.git#ref:subdir`, an archive, or a Dockerfile alone. */
  | { readonly kind: "remote"; readonly url: string }
  | { readonly kind: "empty" };

/** `type=registry,ref=…`; `type=local,src=…` or `dest=…`, with `srcid` or `destid`: the `DEV:INO` that the client sees there. */
export interface CacheLocation {
  readonly type: "inline" | "registry" | "local";
  readonly options: Readonly<Record<string, string>>;
}

export type Output =
  /** Into the store, under the request's tags. */
  | { readonly type: "image"; readonly push: boolean }
  /** Bytes for the client: `oci` and `docker` archives, the root's `tar`; `local` is that tar, which the client unpacks. */
  | {
      readonly type: "oci" | "docker" | "tar" | "local";
      readonly write: (bytes: AsyncIterable<Uint8Array>) => Promise<void>;
    };

/** One step as it is told to who watches: a vertex in BuildKit's words. */
export interface Step {
  readonly id: Digest;
  /** `[build 2/5] RUN make`. */
  readonly name: string;
  /** In the Dockerfile's order, from 1; 0: not an instruction (loading the context, resolving a base). */
  readonly number: number;
  /** As it is written, for those who number steps themselves. */
  readonly instruction: string;
  /** It changes no file, as ENV. */
  readonly isMetadata?: true;
  readonly stage?: string;
  readonly inputs: readonly Digest[];
  readonly span?: Span;
}

/** What happens in a build, in order of happening; steps that run together are mixed. */
export type BuildEvent =
  /** Steps that have come to light, before any of them starts; those of the Dockerfile come all at once. */
  | { readonly kind: "plan"; readonly steps: readonly Step[] }
  | { readonly kind: "started"; readonly step: Digest; readonly timeNs: bigint }
  | {
      readonly kind: "ended";
      readonly step: Digest;
      readonly timeNs: bigint;
      readonly outcome: "done" | "cached" | "failed" | "cancelled";
      /** What it was of: for a person. Absent when nothing is to say. */
      readonly reason?: string;
      readonly error?: string;
      /** Of its layer or image, for who speaks Docker's old words. */
      readonly result?: Digest;
    }
  | {
      readonly kind: "output";
      readonly step: Digest;
      readonly stream: "stdout" | "stderr";
      readonly bytes: Uint8Array;
      readonly timeNs: bigint;
    }
  | {
      readonly kind: "progress";
      readonly step: Digest;
      readonly id: string;
      readonly currentBytes: number;
      readonly totalBytes?: number;
      readonly timeNs: bigint;
    }
  | { readonly kind: "warning"; readonly warning: Warning; readonly step?: Digest }
  | { readonly kind: "result"; readonly result: BuildResult };

export interface BuildResult {
  readonly buildId: string;
  /** Of the first platform; absent when no image was to be stored. */
  readonly imageId?: Digest;
  /** The manifest, or the index of several. */
  readonly digest?: Digest;
  readonly tags: readonly string[];
  /** For `--metadata-file`. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** A build, for `slipway build history`. */
export interface BuildRecord {
  readonly id: string;
  readonly name: string;
  readonly startedNs: bigint;
  /** Absent while it runs. */
  readonly endedNs?: bigint;
  readonly status: "running" | "done" | "failed" | "cancelled" | "lost";
  readonly error?: string;
  readonly steps: number;
  readonly cachedSteps: number;
  readonly imageId?: Digest;
  readonly tags: readonly string[];
}

/** One record of the build cache, in the Engine API's words. */
export interface CacheRecord {
  readonly id: string;
  readonly parents: readonly string[];
  readonly type:
    | "regular"
    | "source.local"
    | "source.git.checkout"
    | "source.http"
    | "exec.cachemount"
    | "internal"
    | "frontend";
  readonly description: string;
  readonly inUse: boolean;
  /** An image has its layer too. */
  readonly shared: boolean;
  readonly sizeBytes: number;
  readonly createdNs: bigint;
  readonly lastUsedNs?: bigint;
  readonly usageCount: number;
}

export interface CachePrune {
  /** Also what is not dangling: `-a`. */
  readonly all: boolean;
  readonly filters: Readonly<Record<string, readonly string[]>>;
  /** What is to stay at least (reserved), at most, and what is to be free on the file system. */
  readonly reservedBytes?: number;
  readonly maxUsedBytes?: number;
  readonly minFreeBytes?: number;
}

export interface Builder {
  /** Builds; the iteration ends with a `result`, or throws the fault. Leaving it early or aborting cancels within a second. */
  build(request: BuildRequest, signal: AbortSignal): AsyncIterable<BuildEvent>;
  /** Ends a build; whether there was one. */
  cancel(buildId: string): boolean;
  history(): readonly BuildRecord[];
  forgetHistory(ids: readonly string[] | "all"): number;
  usage(): Promise<readonly CacheRecord[]>;
  prune(
    request: CachePrune,
    signal: AbortSignal,
  ): Promise<{ readonly removed: readonly string[]; readonly reclaimedBytes: number }>;
  /** A cache mount's files as a tar, and back. Fault `notFound`. */
  exportCacheMount(id: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  importCacheMount(id: string, archive: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
  /** Ends what runs. */
  close(): Promise<void>;
}

export interface BuilderOptions {
  readonly host: Host;
  readonly images: Images;
  readonly containers: Containers;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly log: Log;
}

export { openBuilder } from "./open.ts";
export { pruneFilters } from "./cache/prune-plan.ts";
export { StepFailure } from "./solve/step-failure.ts";
