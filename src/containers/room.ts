import type { IdMapping, Monitor } from "#host";
import type { IdPool } from "./config/id-mapping.ts";
import type { Background } from "./background.ts";
import type { ContainersOptions } from "./containers.ts";
import type { Forwarders } from "./logs/forward/forwarders.ts";
import type { Execs } from "./streams/exec-records.ts";
import type { OpenViews } from "./files/views.ts";
import type { Locks } from "#core/locks";
import type { SeccompPrograms } from "./config/seccomp-programs.ts";
import type { ContainerSession } from "./streams/session.ts";
import type { Store } from "./store.ts";
import type { HealthWatch } from "./life/health.ts";
import type { Restarts } from "./life/restarts.ts";
import type { Turnstile } from "./turnstile.ts";
import type { Sampler } from "./usage/sampler.ts";
import type { Waiters } from "./life/waiters.ts";

/** What the actions of this room share: its records, and what it knows of the containers that run. */
export interface Room extends ContainersOptions {
  readonly store: Store;
  /** One transition of a container at a time. */
  readonly locks: Locks;
  readonly waiters: Waiters;
  readonly execs: Execs;
  /** Programs that work on mounts of running containers. */
  readonly views: OpenViews;
  readonly seccompPrograms: SeccompPrograms;
  /** Reads what the containers use, for all who watch. */
  readonly sampler: Sampler;
  /** Who the containers' users are for the host: `--userns-remap`. */
  readonly remapped: IdMapping | undefined;
  /** Where `--userns auto` takes its ids. */
  readonly idPool: IdPool;
  /** Cleaning that nobody has to wait for. */
  readonly background: Background;
  /** The steps that run, by their containers' ids: containers that nobody is told of. */
  readonly steps: Map<string, RunningStep>;
  /** The monitors of containers that run, by container. */
  readonly live: Map<string, Live>;
  /** Containers that ended and whose runtime is still tidying up; a new start waits for it. */
  readonly departing: Map<string, Promise<void>>;
  /** Containers whose coming end is part of a restart or removal, so that `--rm` leaves them alone. */
  readonly restarting: Set<string>;
  /** Health checks of the containers that run and have one. */
  readonly healthWatches: Map<string, HealthWatch>;
  /** Keeps probes that are due at once from being one crowd of runtimes. */
  readonly probeStarts: Turnstile;
  /** Logs that go to files and services of others. */
  readonly forwarders: Forwarders;
  /** Starts that restart policies have ordered. */
  readonly restarts: Restarts;
  /** Watches whom the host asks for names. */
  readonly hostResolver: DisposableStack;
  /** Set when the daemon ends: the containers' monitors are then left alone, not lost. */
  closing: boolean;
  /** Set when the daemon stops its containers as it ends: no policy brings them back before its next start. */
  stopping: boolean;
  /** Told of failures that nobody waits for. */
  readonly onUnexpected: (error: unknown) => void;
  /** Attached clients of containers that have yet to start. */
  readonly waitingSessions: Map<string, Set<ContainerSession>>;
}

/** A step, from before anything is made for it until nothing of it is left. */
export interface RunningStep {
  readonly abort: () => void;
  /** Never rejects. */
  readonly gone: Promise<void>;
}

/** A running container as this daemon sees it. */
export interface Live {
  readonly monitor: Monitor;
  readonly pid: number;
  /** Settles when the container's end is in the store; never rejects. */
  readonly ended: Promise<void>;
}

/** Does what must not stop what comes after it; its failure is reported. */
export function attempt(room: Pick<Room, "onUnexpected">, work: () => void): void {
  try {
    work();
  } catch (error) {
    room.onUnexpected(error);
  }
}
