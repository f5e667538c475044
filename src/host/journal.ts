import type { Clock } from "#core/clock";
import type { EmittedEvent, Event } from "#core/event";
import { Fault, isFault } from "#core/fault";
import type { Database, Journal } from "./host.ts";

const keptEvents = 10_000;
const waitingBound = 1000;
const readerBound = 4096;

/** A journal that can be flushed to disk before the daemon ends. */
export interface OpenJournal extends Journal {
  flush(): void;
}

/** Opens the durable record of events. Writes are gathered per turn of the event loop and stored in one transaction. */
export function openJournal(database: Database, clock: Clock): OpenJournal {
  database.migrate("journal", [
    "CREATE TABLE events (id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, body TEXT NOT NULL) STRICT",
  ]);
  return new DurableJournal(database, clock);
}

class DurableJournal implements OpenJournal {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #readers = new Set<(event: Event) => void>();
  /** Not stored yet; with a full disk they wait here, the newest thousand of them, for the next flush. */
  #pending: Event[] = [];
  #isFlushing = false;
  #stored = 0;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  emit({ passing, ...event }: EmittedEvent): void {
    if (passing === true && this.#readers.size === 0) return;
    const whole: Event = { ...event, timeNs: event.timeNs ?? this.#clock.now() };
    if (passing !== true) this.#keep(whole);
    for (const reader of this.#readers) reader(whole);
  }

  #keep(event: Event): void {
    if (!this.#isFlushing) setImmediate(() => this.flush());
    this.#isFlushing = true;
    this.#pending.push(event);
  }

  flush(): void {
    this.#isFlushing = false;
    if (this.#pending.length === 0) return;
    try {
      this.#store(this.#pending);
      this.#pending = [];
    } catch (error) {
      if (!isFault(error, "exhausted")) throw error;
      this.#pending = this.#pending.slice(-waitingBound);
    }
  }

  #store(events: readonly Event[]): void {
    this.#database.transaction(() => {
      for (const { timeNs, ...body } of events) {
        this.#database.run("INSERT INTO events (time_ns, body) VALUES (?, ?)", timeNs, JSON.stringify(body));
      }
      if (this.#stored + events.length < 500) return;
      this.#database.run("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", keptEvents);
    });
    this.#stored = this.#stored + events.length < 500 ? this.#stored + events.length : 0;
  }

  async *read(
    range: { readonly sinceNs?: bigint; readonly untilNs?: bigint },
    signal: AbortSignal,
  ): AsyncIterable<Event> {
    const queue: Event[] = [];
    let wake = Promise.withResolvers<void>();
    let overrun = false;
    const reader = (event: Event): void => {
      if (queue.length < readerBound) queue.push(event);
      else overrun = true;
      wake.resolve();
    };
    // Not asked of the clock again: a timer may fire a little before its time, and nobody would wake us then.
    let isDue = false;
    const stop = (): void => {
      isDue = true;
      wake.resolve();
    };
    const deadline = range.untilNs === undefined ? undefined : this.#stopAt(range.untilNs, stop);
    this.flush();
    const waiting = [...this.#pending];
    this.#readers.add(reader);
    signal.addEventListener("abort", stop);
    try {
      yield* this.#past(range, waiting);
      for (;;) {
        for (const event of queue.splice(0)) {
          if (range.untilNs !== undefined && event.timeNs > range.untilNs) return;
          yield event;
        }
        if (isDue || signal.aborted) return;
        if (overrun)
          throw new Fault("exhausted", "the reader of events is too slow", { remedy: "Ask again with --since." });
        if (queue.length > 0) continue;
        wake = Promise.withResolvers();
        await wake.promise;
      }
    } finally {
      clearTimeout(deadline);
      this.#readers.delete(reader);
      signal.removeEventListener("abort", stop);
    }
  }

  /** What is stored already. Without a wanted start, `docker events` shows only what comes. */
  *#past(range: { readonly sinceNs?: bigint; readonly untilNs?: bigint }, waiting: readonly Event[]): Iterable<Event> {
    if (range.sinceNs === undefined && range.untilNs === undefined) return;
    const { sinceNs = 0n, untilNs = 9_223_372_036_854_775_807n } = range;
    const rows = this.#database.all<{ time_ns: bigint; body: string }>(
      "SELECT time_ns, body FROM events WHERE time_ns >= ? AND time_ns <= ? ORDER BY id",
      sinceNs,
      untilNs,
    );
    for (const row of rows) yield { ...(JSON.parse(row.body) as Omit<Event, "timeNs">), timeNs: row.time_ns };
    yield* waiting.filter(({ timeNs }) => timeNs >= sinceNs && timeNs <= untilNs);
  }

  #stopAt(untilNs: bigint, stop: () => void): NodeJS.Timeout | undefined {
    const waitMs = Number((untilNs - this.#clock.now()) / 1_000_000n) + 1;
    if (waitMs > 0) return setTimeout(stop, Math.min(waitMs, 2 ** 31 - 1));
    stop();
    return undefined;
  }
}
