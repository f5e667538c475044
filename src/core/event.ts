/** What can happen to what; the Engine API's event types and actions (docker events). */
export type EventType = "container" | "image" | "network" | "volume" | "daemon" | "builder";

/** One event, as the journal keeps it. */
export interface Event {
  readonly type: EventType;
  /** For instance `start`, `die`, `exec_create: sh -c ls`. */
  readonly action: string;
  readonly actorId: string;
  /** Labels of the actor, and `name`, `image`, `exitCode`, `signal` … */
  readonly attributes: Readonly<Record<string, string>>;
  readonly timeNs: bigint;
}

/** An event as it is reported. */
export interface EmittedEvent extends Omit<Event, "timeNs"> {
  /** Absent: now. */
  readonly timeNs?: bigint;
  /** Told to those who listen, and not kept: what comes by the second would push out what matters. */
  readonly passing?: true;
}

/** Where the rooms report what happened. */
export interface EventSink {
  emit(event: EmittedEvent): void;
}
