import { setTimeout as sleep } from "node:timers/promises";
import { endOfLog, type LogPosition, readLog } from "#host";
import type { LogConnection, LogDriver, TargetLine } from "../drivers/log-driver.ts";
import { lostNote, rotatedBytes } from "../lost-note.ts";
import { type Cursor, CursorFile, type Places } from "./cursor-file.ts";
import { Doorbell } from "./doorbell.ts";
import { comparePlaces, LineCutter } from "./line-cutter.ts";

export interface ForwarderOptions {
  readonly driver: LogDriver;
  /** The log's folder; it must be there. */
  readonly folder: string;
  readonly cursorPath: string;
  /** Of the log. */
  readonly segmentBytes: number;
  /** The container is running: more may come. */
  readonly goesOn: boolean;
  /** For the daemon's log. */
  readonly onNotice: (text: string) => void;
}

/** Lines of one turn of the doorbell come together: a chatty container costs fifty turns a second. */
const gatherMs = 20;
const longestWaitMs = 10_000;
const mostLines = 1000;
/** A target that says no goodbye is left. */
const stopTimeMs = 1500;

/**
 * Brings one container's log to its target, in order, from the cursor on: whatever breaks, it goes on from what the target has
 * taken. At least once: after a crash, or a connection that broke, the lines whose taking was not known come again.
 */
export class Forwarder {
  /** Settles when all was taken after the container's end, or it was stopped; never rejects. */
  readonly over: Promise<void>;
  readonly #options: ForwarderOptions;
  readonly #bell: Doorbell;
  readonly #stop = new AbortController();
  #goesOn: boolean;
  #cursor: Cursor | undefined;
  /** What was sent and may still turn out not to have been taken, oldest first. */
  #unsettled: { readonly sentMs: number; readonly cursor: Cursor }[] = [];
  #settling: NodeJS.Timeout | undefined;
  #connection: LogConnection | undefined;
  #attempts = 0;
  #warned = false;
  /** Said at the next chance. */
  #notes: string[] = [];

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#goesOn = options.goesOn;
    this.#bell = new Doorbell(options.folder);
    this.over = this.#run();
  }

  /** Looks whether there is something to do. */
  ring(): void {
    this.#bell.ring();
  }

  /** Whether more may come. False: what is there is brought to its end, then it is over. */
  set goesOn(goesOn: boolean) {
    this.#goesOn = goesOn;
    this.#bell.ring();
  }

  /** Ends it now, or as soon as the target has said goodbye; the cursor stays. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#bell.ring();
    const patience = setTimeout(() => this.#connection?.destroy(), stopTimeMs);
    await this.over;
    clearTimeout(patience);
  }

  /** Bytes of the log that the target has not taken, as far as they are in one segment. */
  async waitingBytes(): Promise<number> {
    const end = await endOfLog(this.#options.folder);
    const from = this.#cursor === undefined ? undefined : LineCutter.start(this.#cursor.places);
    if (end === undefined || from === undefined) return 0;
    return Math.max(0, (end.segment - from.segment) * this.#options.segmentBytes + end.offset - from.offset);
  }

  async #run(): Promise<void> {
    try {
      await using opened = await this.#openCursor();
      if (opened === undefined) return;
      this.#cursor = opened.cursor;
      while (!this.#stop.signal.aborted) {
        try {
          if (await this.#serve(opened.file)) break;
        } catch (error) {
          if (!this.#stop.signal.aborted) await this.#afterFailure(error as Error, opened.file);
        }
      }
    } catch (error) {
      this.#options.onNotice(`logging to ${this.#options.driver.target} ended: ${(error as Error).message}`);
    } finally {
      clearTimeout(this.#settling);
      this.#bell[Symbol.dispose]();
    }
  }

  /** Tried until it works, as a full disk may have no room for it; undefined when stopped before. */
  async #openCursor() {
    for (let attempt = 1; !this.#stop.signal.aborted; attempt++) {
      try {
        const { file, cursor } = await CursorFile.open(this.#options.cursorPath);
        return { file, cursor, [Symbol.asyncDispose]: async () => await file[Symbol.asyncDispose]() };
      } catch (error) {
        if (attempt === 1) this.#options.onNotice(`logging waits: ${(error as Error).message}`);
        await this.#pause(longestWaitMs);
      }
    }
    return undefined;
  }

  /** One connection's life, opened when there is something to send. True: all is done. */
  async #serve(file: CursorFile): Promise<boolean> {
    const { driver } = this.#options;
    const { places, state } = this.#known();
    while (!(await this.#hasMore(places))) {
      if (!this.#goesOn || this.#stop.signal.aborted) return true;
      await this.#bell.answered();
    }
    const connection = await driver.open(state, this.#stop.signal);
    this.#connection = connection;
    this.#bell.ring();
    this.#unsettled = [];
    let isOver = false;
    void connection.over.then(() => {
      isOver = true;
      this.#bell.ring();
    });
    const cutter = new LineCutter(places);
    let position: LogPosition = LineCutter.start(places);
    try {
      for (;;) {
        await this.#bell.answered();
        const isLast = !this.#goesOn; // looked at before the reading: what came before the end is read
        if (!isOver) position = await this.#drain(connection, cutter, position, file);
        await this.#settle(file);
        if (isOver && this.#unsettled.length > 0) throw new Error("the connection was closed by the target");
        if (isOver) return false;
        if (this.#stop.signal.aborted || (isLast && !this.#goesOn)) return await this.#finish(connection, cutter, file);
        await sleep(gatherMs);
      }
    } finally {
      connection.destroy();
    }
  }

  #known(): Cursor {
    if (this.#cursor === undefined) throw new Error("no cursor yet");
    return this.#cursor;
  }

  async #hasMore({ stdout, stderr }: Places): Promise<boolean> {
    if (this.#notes.length > 0) return true;
    const end = await endOfLog(this.#options.folder);
    if (end === undefined) return false;
    // An unfinished line is no reason to connect until it is known to be the last.
    const wantsLater = this.#goesOn === comparePlaces(stdout, stderr) < 0;
    return comparePlaces({ ...end, skipBytes: 0 }, wantsLater ? stderr : stdout) > 0;
  }

  /** Sends what is there from the position on; answers where it ended. */
  async #drain(
    connection: LogConnection,
    cutter: LineCutter,
    from: LogPosition,
    file: CursorFile,
  ): Promise<LogPosition> {
    const { driver, folder, segmentBytes } = this.#options;
    let position = from;
    let lines: TargetLine[] = [];
    let sizeBytes = 0;
    const add = (more: readonly TargetLine[]): void => {
      lines.push(...more);
      for (const { bytes } of more) sizeBytes += bytes.length;
    };
    for await (const record of readLog(folder, from)) {
      if (this.#stop.signal.aborted) break;
      const lost = rotatedBytes(position, record, segmentBytes);
      if (lost > 0) add([...cutter.rest(), this.#note(lostNote("rotated", lost), record.timeNs)]);
      for (const note of this.#notes.splice(0)) add([this.#note(note, record.timeNs)]);
      if (record.lostBytes === undefined) add(cutter.push(record));
      else {
        cutter.pass(record);
        add(cutter.rest()); // what stands before a gap is no part of what comes after it
        add([this.#note(lostNote("disk full", record.lostBytes), record.timeNs)]);
      }
      position = record.end;
      if (sizeBytes < driver.batchBytes && lines.length < mostLines) continue;
      await this.#send(connection, lines, cutter, file);
      lines = [];
      sizeBytes = 0;
    }
    if (lines.length > 0) await this.#send(connection, lines, cutter, file);
    return position;
  }

  #note(text: string, timeNs: bigint): TargetLine {
    this.#options.onNotice(`${this.#options.driver.target}: ${text}`);
    return { stream: "stderr", timeNs, bytes: Buffer.from(text) };
  }

  async #send(
    connection: LogConnection,
    lines: readonly TargetLine[],
    cutter: LineCutter,
    file: CursorFile,
  ): Promise<void> {
    const { driver, onNotice } = this.#options;
    const places = cutter.places();
    const state = await connection.send(lines, this.#stop.signal);
    if (this.#attempts > 0) onNotice(`${driver.target} takes lines again`);
    this.#attempts = 0;
    this.#unsettled.push({ sentMs: performance.now(), cursor: { places, state } });
    if (driver.settleMs === 0) return await this.#settle(file);
    this.#lookAgain();
    if (this.#unsettled.length > mostUnsettled) await this.#settle(file);
  }

  /** Keeps what is known to be taken; `all`: whatever was sent. */
  async #settle(file: CursorFile, all = false): Promise<void> {
    const settledMs = performance.now() - this.#options.driver.settleMs;
    const count = all ? this.#unsettled.length : this.#unsettled.filter(({ sentMs }) => sentMs <= settledMs).length;
    const newest = this.#unsettled.splice(0, count).at(-1);
    if (newest === undefined) return;
    this.#cursor = newest.cursor;
    await this.#keep(newest.cursor, file);
    if (this.#unsettled.length > 0) this.#lookAgain();
  }

  /** A cursor that cannot be written holds in memory all the same. */
  async #keep(cursor: Cursor, file: CursorFile): Promise<void> {
    try {
      await file.write(cursor);
    } catch (error) {
      if (!this.#warned) this.#options.onNotice(`the log's cursor cannot be written: ${(error as Error).message}`);
      this.#warned = true;
    }
  }

  #lookAgain(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.#bell.ring();
    }, this.#options.driver.settleMs + 1).unref();
  }

  /** The last words, and a goodbye that tells that they were taken. True: nothing is left. */
  async #finish(connection: LogConnection, cutter: LineCutter, file: CursorFile): Promise<boolean> {
    const isLast = !this.#goesOn;
    const rest = isLast ? cutter.rest() : [];
    if (rest.length > 0) await this.#send(connection, rest, cutter, file);
    const lastSentMs = this.#unsettled.at(-1)?.sentMs ?? 0;
    const taken = await connection.end();
    const isQuiet = performance.now() - lastSentMs >= this.#options.driver.settleMs;
    if (taken || isQuiet) await this.#settle(file, true);
    if (this.#unsettled.length > 0 && !this.#stop.signal.aborted) {
      throw new Error("the connection was closed by the target");
    }
    return this.#stop.signal.aborted || (isLast && !this.#goesOn);
  }

  async #afterFailure(error: Error, file: CursorFile): Promise<void> {
    const { driver, onNotice } = this.#options;
    this.#attempts++;
    if (this.#attempts === 1) onNotice(`${driver.target} is away, its lines wait: ${error.message}`);
    if (driver.maxRetries !== undefined && this.#attempts > driver.maxRetries) await this.#giveUp(file);
    const waitMs = Math.min(
      driver.firstWaitMs * 2 ** Math.min(this.#attempts - 1, 20),
      Math.max(longestWaitMs, driver.firstWaitMs),
    );
    await this.#pause(waitMs);
    this.#bell.ring();
  }

  async #pause(waitMs: number): Promise<void> {
    try {
      await sleep(waitMs, undefined, { signal: this.#stop.signal });
    } catch {
      // stopped
    }
  }

  /** Asked for by a bound on retries: what waits is dropped, and said so when the target is back. */
  async #giveUp(file: CursorFile): Promise<void> {
    const bytes = await this.waitingBytes();
    const end = await endOfLog(this.#options.folder);
    if (end === undefined || bytes === 0) return;
    this.#notes = [lostNote("given up", bytes)];
    const place = { ...end, skipBytes: 0 };
    this.#cursor = { places: { stdout: place, stderr: place }, state: this.#known().state };
    await this.#keep(this.#cursor, file);
  }
}

/** A bound on the places that are remembered while a fast stream settles. */
const mostUnsettled = 4096;
