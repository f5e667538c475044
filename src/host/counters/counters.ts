/** What the kernel counts of a control group and of those below it. */
export interface GroupCounters {
  readonly cpu: CpuCounters;
  readonly memory: MemoryCounters;
  readonly pids: { readonly current: number; readonly limit: number };
  readonly blockIo: readonly BlockIoCounters[];
}

export interface CpuCounters {
  readonly totalNs: bigint;
  readonly userNs: bigint;
  readonly systemNs: bigint;
  /** v1 only; empty elsewhere. */
  readonly perCpuNs: readonly bigint[];
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledNs: bigint;
}

export interface MemoryCounters {
  readonly usageBytes: number;
  /** v1 only; 0 elsewhere. */
  readonly maxUsageBytes: number;
  /** Infinity when the group has none. */
  readonly limitBytes: number;
  /** How often the limit was hit: v1's failcnt, v2's `oom` events. */
  readonly failures: number;
  /** The kernel's own names and values: memory.stat. */
  readonly counters: Readonly<Record<string, number>>;
}

/** What a group read and wrote of one device, by the kernel's word for the operation: v1 `Read`, `Write`, `Sync` …, v2 `read`, `write`. */
export interface BlockIoCounters {
  readonly major: number;
  readonly minor: number;
  readonly op: string;
  readonly bytes: number;
  readonly operations: number;
}

/** Traffic of one network interface, since it was made. */
export interface InterfaceCounters {
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  readonly txBytes: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly txDropped: number;
}

/** Gives the text of one of a group's files, empty when the kernel does not have it. */
export type CounterFile = (controller: string, name: string) => string;

/** `name value` lines, as memory.stat, cpu.stat and memory.events have them. */
export function parseFlat(text: string): Record<string, number> {
  const values: Record<string, number> = {};
  let start = 0;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
    // Of v1's io_service_bytes the name has a blank in it.
    const space = text.lastIndexOf(" ", end);
    if (space > start) values[text.slice(start, space)] = Number(text.slice(space + 1, end));
    start = end + 1;
  }
  return values;
}

/** One number; 0 for a file that is not there. */
export function parseCount(text: string): number {
  return Number(text.trim());
}
