import type { Clock } from "#core/clock";
import type { Containers, Limits, Ulimit } from "#containers";
import type { Host } from "#host";
import type { Images } from "#images";
import type { CacheMounts } from "../cache/cache-mounts.ts";
import type { StepResults } from "../cache/results.ts";
import type { Selections } from "../cache/selections.ts";
import type { FileTree } from "../files/files.ts";
import type { FilesOf, Node, PlannedSource } from "../graph/graph.ts";
import type { CopyParts } from "../steps/copy.ts";
import type { Files } from "./work.ts";

/** What the steps of one build work with. */
export interface StepParts {
  readonly host: Host;
  readonly images: Images;
  readonly containers: Containers;
  readonly results: StepResults;
  readonly cacheMounts: CacheMounts;
  readonly selections: Selections;
  readonly clock: Clock;
  readonly settings: StepSettings;
  /** The files that an instruction takes from; opened once for a build. */
  readonly tree: (from: FilesOf, files: (node: Node) => Promise<Files>) => Promise<FileTree>;
  /** What ADD takes from elsewhere. */
  readonly remote: (source: RemoteSource) => Promise<FileTree>;
  /** An empty folder that programs see stacks at. */
  readonly mountPoint: string;
}

export type RemoteSource = Extract<PlannedSource, { readonly kind: "url" | "git" }>;

/** What steps that write layers directly take of it. */
export function copyParts({ images, host, mountPoint }: StepParts): CopyParts {
  return { layers: images.layers, shim: host.shim, mountPoint };
}

/** What the request says of all steps. */
export interface StepSettings {
  readonly extraHosts: readonly string[];
  readonly shmSizeBytes: number;
  readonly ulimits: readonly Ulimit[];
  readonly limits: Limits;
  readonly cgroupParent?: string;
  /** All times in layers are at most this. */
  readonly epochSeconds?: number;
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  readonly sshAgents: ReadonlyMap<string, string>;
}
