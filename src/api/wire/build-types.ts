import type { Ulimit } from "./container-config.ts";

/**
 * What `slipway build` asks of `POST /build` beyond the Engine API: with `Accept: application/vnd.slipway.build.v1+jsonl` the
 * answer is one `BuildMessage` a line, and these parameters of the query count (those of lists and maps are JSON):
 *
 * - `session`: the id of a session (`POST /slipway/build/sessions`), used once.
 * - `context`, `contextid`: the context is this folder of the daemon's machine, and `DEV:INO` is what the client sees of it.
 *   409 when the daemon sees another one: the client is to send it as a tar. Over unix sockets only.
 * - `contexts`: `BuildContexts`. `outputs`: list of `BuildOutput`; absent: into the store.
 * - `cachefrom`, `cacheto`: lists of `BuildOutput`, whose type is `registry`, `inline` or `local`. A local one has its folder in `src` or
 *   `dest`, and what the client sees of it (`DEV:INO`) in `srcid` or `destid`: the daemon touches no other folder. Over unix sockets only.
 * - `nocachefilter`, `allow`: lists of names. `annotations`: a map.
 * - `platform`: several, with commas. `provenance`: `off`, `min`, `max`. `sbom`, `check`, `explain`: flags.
 * - `sourcedateepoch`: seconds since 1970.
 */
export interface BuildOutput {
  readonly Type: string;
  readonly Attrs: Readonly<Record<string, string>>;
}

/** What the contexts of `--build-context` are, by name: one field of each. */
export type BuildContexts = Readonly<Record<string, BuildContextRequest>>;

export interface BuildContextRequest {
  /** `docker-image://`. */
  readonly Image?: string;
  /** Git or http(s). */
  readonly URL?: string;
  /** A folder of the daemon's machine, with `DEV:INO`. */
  readonly Folder?: string;
  readonly FolderID?: string;
  /** It comes as `POST /slipway/build/sessions/{id}/context?name=`. */
  readonly Sent?: boolean;
}

/** `POST /slipway/build/sessions`: what belongs in no URL and no log. Used by one build, and forgotten after some minutes without. */
export interface BuildSessionRequest {
  /** Base64 by id; each of at most 500 KiB. */
  readonly Secrets?: Readonly<Record<string, string>>;
  /** Ids of SSH agents, for which the client parks connections: `POST /slipway/build/sessions/{id}/agent?agent=`, upgraded. */
  readonly Agents?: readonly string[];
  /** The Dockerfile itself, when it is no file of the context. */
  readonly Dockerfile?: string;
}

export interface BuildSessionAnswer {
  readonly Id: string;
}

/** Position and span as Dockerfiles are read: both count from 1, the end is behind the last character. */
export interface BuildSpan {
  readonly Start: { readonly Line: number; readonly Column: number };
  readonly End: { readonly Line: number; readonly Column: number };
}

export interface BuildStepMessage {
  readonly ID: string;
  /** `[build 2/5] RUN make`. */
  readonly Name: string;
  /** In the Dockerfile's order, from 1; 0: not an instruction. */
  readonly Number: number;
  readonly Instruction: string;
  readonly Metadata?: true;
  readonly Stage?: string;
  readonly Inputs: readonly string[];
  readonly Span?: BuildSpan;
}

/** One line of a build's stream; times are RFC 3339 with nanoseconds, bytes base64. */
export type BuildMessage =
  | { readonly Kind: "plan"; readonly Steps: readonly BuildStepMessage[] }
  | { readonly Kind: "started"; readonly Step: string; readonly Time: string }
  | {
      readonly Kind: "ended";
      readonly Step: string;
      readonly Time: string;
      readonly Outcome: "done" | "cached" | "failed" | "cancelled";
      readonly Reason?: string;
      readonly Error?: string;
      readonly Result?: string;
    }
  | {
      readonly Kind: "output";
      readonly Step: string;
      readonly Stream: "stdout" | "stderr";
      readonly Data: string;
      readonly Time: string;
    }
  | {
      readonly Kind: "progress";
      readonly Step: string;
      readonly ID: string;
      readonly Current: number;
      readonly Total?: number;
      readonly Time: string;
    }
  | {
      readonly Kind: "warning";
      readonly Rule: string;
      readonly Description: string;
      readonly URL: string;
      readonly Message: string;
      readonly Span?: BuildSpan;
      readonly Step?: string;
    }
  /** A piece of an output for the client, in order; `Output` is its place in the request's list. */
  | { readonly Kind: "file"; readonly Output: number; readonly Data: string }
  /** That output is whole. */
  | { readonly Kind: "fileEnd"; readonly Output: number }
  | {
      readonly Kind: "result";
      readonly BuildID: string;
      readonly ImageID?: string;
      readonly Digest?: string;
      readonly Tags: readonly string[];
      readonly Metadata: Readonly<Record<string, unknown>>;
    }
  /** The last line of a build that failed after its first one. */
  | {
      readonly Kind: "failed";
      readonly Message: string;
      /** Of the command that failed. */
      readonly ExitCode?: number;
      readonly Span?: BuildSpan;
    };

/** One build of `GET /slipway/build/history`, newest first. */
export interface BuildRecordAnswer {
  readonly ID: string;
  readonly Name: string;
  readonly Started: string;
  readonly Ended?: string;
  readonly Status: "running" | "done" | "failed" | "cancelled" | "lost";
  readonly Error?: string;
  readonly Steps: number;
  readonly CachedSteps: number;
  readonly ImageID?: string;
  readonly Tags: readonly string[];
}

/** `ulimits` of a build. */
export type BuildUlimits = readonly Ulimit[];
