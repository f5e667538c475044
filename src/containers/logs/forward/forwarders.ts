import { existsSync } from "node:fs";
import type { Host } from "#host";
import { Fault } from "#core/fault";
import { shortId } from "#core/ids";
import { foldersOf } from "../../life/folders.ts";
import type { ContainerRecord } from "../../store.ts";
import { driverFor } from "../drivers/driver-for.ts";
import { readFluentdOptions } from "../drivers/fluentd-options.ts";
import { logOptions } from "../log-options.ts";
import { Forwarder } from "./forwarder.ts";

/** How long what is left of a removed container's log may still be brought to its target. */
const farewellMs = 10_000;
/** inotify can forget when too much happens at once: everybody looks now and then. */
const lookMs = 30_000;
const dialTimeMs = 10_000;

/** The containers' logs that go to files and services of others: one forwarder each, none for those that do not. */
export class Forwarders {
  readonly #host: Host;
  readonly #shimPath: string;
  readonly #onNotice: (text: string) => void;
  readonly #running = new Map<string, Forwarder>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #looking: NodeJS.Timeout;

  constructor(options: { readonly host: Host; readonly shimPath: string; readonly onNotice?: (text: string) => void }) {
    this.#host = options.host;
    this.#shimPath = options.shimPath;
    this.#onNotice = options.onNotice ?? (() => {});
    this.#looking = setInterval(() => {
      for (const forwarder of this.#running.values()) forwarder.ring();
    }, lookMs).unref();
  }

  /**
   * With `fluentd-async=false` a container does not start without its target, as in Docker. Otherwise services do not stop
   * because a collector has.
   */
  async check(record: ContainerRecord): Promise<void> {
    const { driver, options } = record.spec.logging;
    if (driver !== "fluentd" || readFluentdOptions(options).async) return;
    const limit = AbortSignal.timeout(dialTimeMs);
    try {
      const connection = await this.#driverOf(record)?.open("", limit);
      connection?.destroy();
    } catch (error) {
      throw new Fault("internal", `failed to initialize logging driver: dial ${(error as Error).message}`, {
        cause: error,
        remedy: "Start the collector, or leave out fluentd-async=false: lines then wait for it.",
      });
    }
  }

  /** The container runs, or (`goesOn` false) has ended and may have something left. */
  begin(record: ContainerRecord, goesOn: boolean): void {
    const { id, spec } = record;
    const before = this.#running.get(id);
    if (before !== undefined) {
      before.goesOn = goesOn;
      return;
    }
    const driver = this.#driverOf(record);
    const folders = foldersOf(this.#host.paths, id);
    if (driver === undefined || !existsSync(folders.log)) return; // one that never ran has nothing to say
    const forwarder = new Forwarder({
      driver,
      folder: folders.log,
      cursorPath: folders.logCursor,
      segmentBytes: logOptions(spec.logging).maxSizeBytes,
      goesOn,
      onNotice: (text) => this.#onNotice(`container ${shortId(id)}: ${text}`),
    });
    this.#running.set(id, forwarder);
    void forwarder.over.then(() => {
      if (this.#running.get(id) === forwarder) this.#running.delete(id);
    });
  }

  /** Whether something of the container's log may have yet to reach its target. */
  isBusy(id: string): boolean {
    return this.#running.has(id);
  }

  /** The container has ended, its output is in the log: also one whose end no daemon saw. */
  ended(record: ContainerRecord): void {
    this.begin(record, false);
  }

  /** The container is removed: resolves when its target has taken the rest, or ten seconds are over; undefined: nothing is left. A file goes with the container. */
  release(record: ContainerRecord): Promise<void> | undefined {
    const forwarder = this.#running.get(record.id);
    if (forwarder === undefined) return undefined;
    forwarder.goesOn = false;
    const farewell = this.#release(record, forwarder);
    this.#leaving.add(farewell);
    void farewell.finally(() => this.#leaving.delete(farewell));
    return farewell;
  }

  async #release({ id, spec }: ContainerRecord, forwarder: Forwarder): Promise<void> {
    if (spec.logging.driver !== "json-file") {
      const { promise: late, resolve } = Promise.withResolvers<"late">();
      const timer = setTimeout(() => resolve("late"), farewellMs);
      if ((await Promise.race([forwarder.over, late])) === "late") {
        const bytes = await forwarder.waitingBytes().catch(() => 0);
        this.#onNotice(
          `container ${shortId(id)} was removed: about ${bytes} bytes of its log did not reach the target`,
        );
      }
      clearTimeout(timer);
    }
    await forwarder.stop();
  }

  async close(): Promise<void> {
    clearInterval(this.#looking);
    await Promise.all([...this.#running.values()].map(async (forwarder) => await forwarder.stop()));
    await Promise.all(this.#leaving);
  }

  #driverOf(record: ContainerRecord) {
    return driverFor(record, {
      shim: this.#host.shim,
      shimPath: this.#shimPath,
      hostname: this.#host.machine.hostname,
    });
  }
}
