import type { Digest } from "#core/digest";
import type { StackLayer } from "#images";
import type { Limits, Ulimit } from "../containers.ts";

/** One process of a build, run as a container that nobody sees: not in lists, not in events, gone when it ends; a killed daemon's next start removes it. */
export interface StepRequest {
  /** What its root stands on; undefined: an empty root. */
  readonly below: Digest | undefined;
  readonly args: readonly string[];
  /** All of it. */
  readonly env: readonly string[];
  /** As USER says it: names are looked up in the root. */
  readonly user: string;
  readonly workingDir: string;
  readonly hostname: string;
  /** `default`, `none`, `host`, or a network's name. */
  readonly networkMode: string;
  readonly extraHosts: readonly string[];
  readonly shmSizeBytes: number;
  readonly ulimits: readonly Ulimit[];
  readonly limits: Limits;
  readonly cgroupParent?: string;
  /** `--security=insecure`. */
  readonly privileged: boolean;
  readonly mounts: readonly StepMount[];
  /** Makes a layer of what it wrote when it ended with 0. */
  readonly seal?: { readonly epochSeconds?: number };
  /** Bytes as they come; the step waits when it does not resolve. */
  readonly onOutput: (stream: "stdout" | "stderr", bytes: Uint8Array) => Promise<void> | void;
}

export type StepMount =
  /** A file or folder of this machine: a cache mount, an agent's socket. */
  | { readonly kind: "host"; readonly source: string; readonly target: string; readonly readOnly: boolean }
  /** The files of a stack, or a part of them; what is written to it is thrown away. */
  | {
      readonly kind: "stack";
      readonly stack: Digest | undefined;
      readonly subpath: string;
      readonly target: string;
      readonly writable: boolean;
    }
  | { readonly kind: "tmpfs"; readonly target: string; readonly sizeBytes: number }
  /** A file that is in memory only: a secret, a script. */
  | {
      readonly kind: "secret";
      readonly bytes: Uint8Array;
      readonly target: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };

export interface StepEnd {
  /** 0–255; 128+n for signal n. */
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** With `seal`: absent when nothing was written. */
  readonly sealed?: { readonly layer: StackLayer; readonly stack: Digest };
}
