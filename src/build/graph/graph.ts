import type { Digest } from "#core/digest";
import type { Span } from "#core/dockerfile/dockerfile";
import type { RunMount } from "#core/dockerfile/run-mount";
import type { ContainerDefaults, Platform } from "#core/oci";

/** What a target needs, as a graph: each node makes a stack of layers from those of the nodes that it names. Nothing is expanded any more. */
export interface Graph {
  readonly platform: Platform;
  /** In the Dockerfile's order: all that is told of, also instructions that change no file. */
  readonly steps: readonly PlannedStep[];
  readonly result: PlannedImage;
  /** `--build-arg` names that no ARG takes. */
  readonly unusedArgs: readonly string[];
}

/** An image's files and what it says of containers. */
export interface PlannedImage {
  readonly files: Node;
  readonly config: ContainerDefaults;
  readonly author?: string;
  readonly base: Base;
  /** What came on top of the base. */
  readonly history: readonly PlannedHistory[];
}

export interface PlannedHistory {
  readonly createdBy: string;
  /** Whose layer it is; absent: it has none. */
  readonly node?: Node;
}

/** An instruction as it is shown. */
export interface PlannedStep {
  readonly id: Digest;
  /** `[build 2/5] RUN make`. */
  readonly name: string;
  /** In the whole file, of the stages that are needed; from 1. */
  readonly number: number;
  readonly instruction: string;
  readonly stage: string;
  readonly span?: Span;
  /** Absent: it changes no file, and is done when the steps before it are. */
  readonly node?: Node;
  /** Step right before it in its stage. */
  readonly previous?: Digest;
  /** What it is to those who compare builds: the same step of the same stage. */
  readonly slot: string;
}

export type Node = BaseNode | RunNode | CopyNode | WorkdirNode;

interface NodeBase {
  /** The step that it is of. */
  readonly step: Digest;
}

/** What a stage begins with. */
export interface BaseNode extends NodeBase {
  readonly kind: "base";
  readonly base: Base;
}

export type Base =
  | { readonly kind: "scratch" }
  | { readonly kind: "image"; readonly reference: string; readonly id: Digest; readonly platform: Platform };

export interface RunNode extends NodeBase {
  readonly kind: "run";
  /** What its programs are made for. */
  readonly platform: Platform;
  readonly below: Node;
  readonly args: readonly string[];
  /** A document that is the program, shown in the container at that path. */
  readonly script?: { readonly path: string; readonly text: string };
  readonly env: readonly string[];
  /** Names in `env` that are not part of what was built: proxies. */
  readonly passingEnv: readonly string[];
  readonly user: string;
  readonly workingDir: string;
  readonly network: string;
  readonly insecure: boolean;
  readonly mounts: readonly PlannedMount[];
  readonly noCache: boolean;
}

/** A mount and, of those that show files, whose. */
export interface PlannedMount {
  readonly mount: RunMount;
  readonly from?: FilesOf;
}

/** Where a COPY takes its files: a context by its name (empty: the build's own), or what a node makes. */
export type FilesOf =
  | { readonly kind: "context"; readonly name: string }
  | { readonly kind: "node"; readonly node: Node };

export type PlannedSource =
  | { readonly kind: "paths"; readonly from: FilesOf; readonly patterns: readonly string[] }
  | { readonly kind: "text"; readonly name: string; readonly text: string }
  | { readonly kind: "url"; readonly url: string; readonly checksum?: string }
  | { readonly kind: "git"; readonly url: string; readonly checksum?: string; readonly keepGitDir: boolean };

export interface CopyNode extends NodeBase {
  readonly kind: "copy";
  readonly below: Node;
  readonly sources: readonly PlannedSource[];
  /** Absolute; a slash at its end stays. */
  readonly target: string;
  readonly chown?: string;
  readonly chmod?: string;
  readonly link: boolean;
  readonly parents: boolean;
  readonly excludes: readonly string[];
  /** Archives among the sources are unpacked. */
  readonly unpack: "no" | "local" | "all";
  readonly noCache: boolean;
}

export interface WorkdirNode extends NodeBase {
  readonly kind: "workdir";
  readonly below: Node;
  readonly path: string;
  /** Whose it is when it is made. */
  readonly user: string;
}

/** The nodes that a node needs. */
export function inputsOf(node: Node): Node[] {
  switch (node.kind) {
    case "base":
      return [];
    case "workdir":
      return [node.below];
    case "run":
      return [node.below, ...node.mounts.flatMap(({ from }) => (from?.kind === "node" ? [from.node] : []))];
    case "copy":
      return [
        node.below,
        ...node.sources.flatMap((source) =>
          source.kind === "paths" && source.from.kind === "node" ? [source.from.node] : [],
        ),
      ];
  }
}
