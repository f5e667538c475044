/** `GET /containers/{id}/stats`: a reading, and the processor times of the one before it. What is 0 or empty is left out, as Docker does. Whole numbers; those past 2⁵³ are rounded by clients. */
export interface StatsAnswer {
  /** With the leading slash. */
  readonly name: string;
  readonly id: string;
  /** RFC 3339; Go's zero time when the container does not run. */
  readonly read: string;
  readonly preread: string;
  readonly pids_stats: { readonly current?: number; readonly limit?: number };
  readonly blkio_stats: BlockIoStats;
  readonly num_procs: number;
  readonly storage_stats: object;
  readonly cpu_stats: CpuStats;
  readonly precpu_stats: CpuStats;
  readonly memory_stats: MemoryStats;
  /** By interface. */
  readonly networks?: Readonly<Record<string, NetworkStats>>;
}

/** Nanoseconds of processor time. */
export interface CpuStats {
  readonly cpu_usage: {
    readonly total_usage: number;
    readonly percpu_usage?: readonly number[];
    readonly usage_in_kernelmode: number;
    readonly usage_in_usermode: number;
  };
  /** Of the whole machine. */
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
  readonly throttling_data: {
    readonly periods: number;
    readonly throttled_periods: number;
    readonly throttled_time: number;
  };
}

/** Bytes. */
export interface MemoryStats {
  readonly usage?: number;
  /** cgroup v1 only. */
  readonly max_usage?: number;
  /** The kernel's names: with v1 `total_inactive_file` and others, with v2 `inactive_file` and others. */
  readonly stats?: Readonly<Record<string, number>>;
  readonly failcnt?: number;
  readonly limit?: number;
}

export interface NetworkStats {
  readonly rx_bytes: number;
  readonly rx_packets: number;
  readonly rx_errors: number;
  readonly rx_dropped: number;
  readonly tx_bytes: number;
  readonly tx_packets: number;
  readonly tx_errors: number;
  readonly tx_dropped: number;
}

/** Null where the kernel does not tell (all but the first with cgroup v2). */
export interface BlockIoStats {
  readonly io_service_bytes_recursive: readonly BlockIoEntry[] | null;
  readonly io_serviced_recursive: readonly BlockIoEntry[] | null;
  readonly io_queue_recursive: readonly BlockIoEntry[] | null;
  readonly io_service_time_recursive: readonly BlockIoEntry[] | null;
  readonly io_wait_time_recursive: readonly BlockIoEntry[] | null;
  readonly io_merged_recursive: readonly BlockIoEntry[] | null;
  readonly io_time_recursive: readonly BlockIoEntry[] | null;
  readonly sectors_recursive: readonly BlockIoEntry[] | null;
}

export interface BlockIoEntry {
  readonly major: number;
  readonly minor: number;
  /** With v1 `Read`, `Write`, `Sync`, `Async`, `Discard`, `Total`; with v2 `read`, `write`. */
  readonly op: string;
  readonly value: number;
}

/** One entry of `GET /containers/{id}/changes`. */
export interface ChangeAnswer {
  readonly Path: string;
  /** 0 modified, 1 added, 2 deleted. */
  readonly Kind: 0 | 1 | 2;
}
