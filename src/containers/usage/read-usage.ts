import { isFault } from "#core/fault";
import type { CountersReader, InterfaceCounters, MachineTime, TrafficReader } from "#host";
import { parseNetworkMode } from "../config/network-mode.ts";
import type { Usage, UsageSample } from "../containers.ts";
import { cgroupOf } from "../life/runtime.ts";
import type { Room } from "../room.ts";
import { isRunning, type RunningState } from "../state.ts";
import type { ContainerRecord } from "../store.ts";
import type { SampleSource } from "./sampler.ts";

/** What reading takes of the room. */
export type UsageRoom = Pick<Room, "host" | "store" | "clock" | "cgroupParent" | "onUnexpected">;

/** Containers that are read one after the other share a reading of the machine's own time. */
const machineTimeKeptMs = 20;

/** Reads containers' counters; of each that is watched it keeps the open files and the last reading. */
export class UsageReader implements SampleSource {
  readonly #room: UsageRoom;
  readonly #open = new Map<string, OpenContainer>();
  #machine: { readonly time: MachineTime; readonly atMs: number } | undefined;

  constructor(room: UsageRoom) {
    this.#room = room;
  }

  read(id: string): UsageSample | undefined {
    const record = this.#room.store.get(id);
    if (record === undefined) return undefined;
    const { name, state } = record;
    if (!isRunning(state)) {
      this.release(id);
      return { id, name };
    }
    try {
      const open = this.#openFor(record, state);
      const before = open.last;
      const usage = this.#usageOf(open);
      open.last = usage;
      return { id, name, usage, ...(before !== undefined && { before }) };
    } catch (error) {
      // It is ending just now.
      this.release(id);
      if (!isFault(error, "notFound")) this.#room.onUnexpected(error);
      return { id, name };
    }
  }

  release(id: string): void {
    const open = this.#open.get(id);
    open?.group[Symbol.dispose]();
    open?.traffic?.[Symbol.dispose]();
    this.#open.delete(id);
  }

  /** A container that was started again has another group by the same name, and counts from nothing. */
  #openFor(record: ContainerRecord, { pid, startedNs }: RunningState): OpenContainer {
    const kept = this.#open.get(record.id);
    if (kept?.startedNs === startedNs) return kept;
    this.release(record.id);
    const { cgroups, machine } = this.#room.host;
    const open: OpenContainer = {
      startedNs,
      group: cgroups.countersOf(cgroupOf(this.#room, record.id)),
      traffic: isInHostNetwork(this.#room, record) ? undefined : machine.trafficOf(pid),
      last: undefined,
    };
    this.#open.set(record.id, open);
    return open;
  }

  #usageOf({ group, traffic }: OpenContainer): Usage {
    const { host, clock } = this.#room;
    const { cpu, memory, pids, blockIo } = group.read();
    const machine = this.#machineTime();
    return {
      timeNs: clock.now(),
      cpu: { ...cpu, machineNs: machine.totalNs, onlineCpus: machine.onlineCpus },
      memory: { ...memory, limitBytes: Math.min(memory.limitBytes, host.machine.memoryBytes) },
      pids,
      blockIo,
      ...(traffic !== undefined && { networks: ownInterfaces(traffic.read()) }),
    };
  }

  #machineTime(): MachineTime {
    const atMs = performance.now();
    if (this.#machine === undefined || atMs - this.#machine.atMs > machineTimeKeptMs)
      this.#machine = { time: this.#room.host.machine.time(), atMs };
    return this.#machine.time;
  }
}

interface OpenContainer {
  readonly startedNs: bigint;
  readonly group: CountersReader;
  /** Absent in the host's network. */
  readonly traffic: TrafficReader | undefined;
  last: Usage | undefined;
}

/** Its own mode, or that of the container whose network it is in. */
function isInHostNetwork(room: UsageRoom, { spec }: ContainerRecord): boolean {
  const mode = parseNetworkMode(spec.networkMode);
  if (mode.kind !== "container") return mode.kind === "host";
  const other = room.store.get(mode.containerId);
  return other !== undefined && parseNetworkMode(other.spec.networkMode).kind === "host";
}

/** What the engine gave the container; interfaces that it made for itself (bridges, tunnels) carry the same traffic once more. */
function ownInterfaces(all: Readonly<Record<string, InterfaceCounters>>): Readonly<Record<string, InterfaceCounters>> {
  return Object.fromEntries(Object.entries(all).filter(([name]) => /^eth\d+$/.test(name)));
}
