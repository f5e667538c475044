import type { ExecSession, TerminalSize } from "#host";
import { Fault } from "#core/fault";
import type { Exec, ExecSpec } from "../containers.ts";

/** An exec while it is known here. */
export interface ExecRecord {
  readonly id: string;
  readonly containerId: string;
  readonly spec: ExecSpec;
  state: Exec["state"] | { readonly status: "starting" };
  /** Present while it runs. */
  session?: ExecSession;
  /** Wanted before it started. */
  size?: TerminalSize;
  endedMs?: number;
}

/** The execs of all containers, in memory: they end with their container, and their records some minutes after their own end. */
export class Execs {
  readonly #records = new Map<string, ExecRecord>();
  #sweep: NodeJS.Timeout | undefined;

  add(record: ExecRecord): void {
    if (this.#records.size >= mostRecords) this.#dropOldestEnded();
    if (this.#records.size >= mostRecords) {
      throw new Fault("exhausted", `more than ${mostRecords} execs are under way`, {
        remedy: "Start or end some of those that were created.",
      });
    }
    this.#records.set(record.id, record);
  }

  /** By id or unique prefix. Fault `notFound`: `No such exec instance: X`. */
  find(id: string): ExecRecord {
    const exact = this.#records.get(id);
    if (exact !== undefined) return exact;
    const found = id === "" ? [] : [...this.#records.values()].filter((record) => record.id.startsWith(id));
    if (found.length !== 1 || found[0] === undefined) {
      throw new Fault("notFound", `No such exec instance: ${id.slice(0, 100)}`);
    }
    return found[0];
  }

  /** Execs of a container that have not ended, as inspect lists them. */
  idsOf(containerId: string): string[] {
    return [...this.#records.values()]
      .filter((record) => record.containerId === containerId && record.state.status !== "exited")
      .map((record) => record.id);
  }

  /** Keeps an ended exec's record for those who still ask for its exit code. */
  ended(record: ExecRecord, exitCode: number, pid: number): void {
    record.state = { status: "exited", exitCode, pid };
    record.endedMs = Date.now();
    delete record.session;
    if (this.#sweep === undefined) this.#sweepLater();
  }

  /** Execs that never started cannot start any more; those that ran are ended by the kernel and report it themselves. */
  containerEnded(containerId: string): void {
    for (const record of this.#records.values()) {
      if (record.containerId === containerId && record.state.status === "created") this.#records.delete(record.id);
    }
  }

  containerRemoved(containerId: string): void {
    for (const record of this.#records.values()) {
      if (record.containerId === containerId) this.#records.delete(record.id);
    }
  }

  #sweepOld(): void {
    this.#sweep = undefined;
    const before = Date.now() - keptMs;
    let left = false;
    for (const record of this.#records.values()) {
      if (record.endedMs === undefined) continue;
      if (record.endedMs <= before) this.#records.delete(record.id);
      else left = true;
    }
    if (left) this.#sweepLater();
  }

  #sweepLater(): void {
    this.#sweep = setTimeout(() => this.#sweepOld(), keptMs / 5).unref();
  }

  #dropOldestEnded(): void {
    for (const record of this.#records.values()) {
      if (record.state.status !== "exited") continue;
      this.#records.delete(record.id);
      return;
    }
  }
}

/** Docker's five minutes. */
const keptMs = 5 * 60_000;
const mostRecords = 4096;
