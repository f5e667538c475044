import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "#core/clock";
import type { Event } from "#core/event";
import { Fault } from "#core/fault";
import { openDatabase } from "./database.ts";
import { openJournal } from "./journal.ts";

const folder = mkdtempSync(join(tmpdir(), "slipway-journal-"));
after(() => rmSync(folder, { recursive: true }));

test("read: stored events, then live ones, each once, until the signal", async () => {
  const database = openDatabase(join(folder, "live.db"));
  const journal = openJournal(database, systemClock);
  const stop = new AbortController();
  journal.emit(start("a"));
  const seen: string[] = [];
  const reading = (async () => {
    for await (const event of journal.read({ sinceNs: 0n }, stop.signal)) {
      seen.push(event.actorId);
      if (event.actorId === "a") journal.emit(start("b"));
      else stop.abort();
    }
  })();
  await reading;
  assert.deepEqual(seen, ["a", "b"]);
  journal.flush();
  database.close();
});

test("read: a past until ends at once with what is stored; no since shows only what comes", async () => {
  const database = openDatabase(join(folder, "past.db"));
  const journal = openJournal(database, systemClock);
  journal.emit(start("old"));
  const past: Event[] = await Array.fromAsync(
    journal.read({ untilNs: systemClock.now() }, new AbortController().signal),
  );
  assert.deepEqual(
    past.map((event) => event.actorId),
    ["old"],
  );
  assert.deepEqual(await Array.fromAsync(journal.read({}, AbortSignal.abort())), []);
  database.close();
});

test("emit: survives a new opening, in order", async () => {
  const path = join(folder, "durable.db");
  const first = openDatabase(path);
  const journal = openJournal(first, systemClock);
  for (const id of ["1", "2", "3"]) journal.emit(start(id));
  journal.flush();
  first.close();
  const second = openDatabase(path);
  const events = await Array.fromAsync(
    openJournal(second, systemClock).read({ sinceNs: 0n, untilNs: systemClock.now() }, new AbortController().signal),
  );
  assert.deepEqual(
    events.map((event) => event.actorId),
    ["1", "2", "3"],
  );
  second.close();
});

test("emit: while the disk is full events reach their readers, wait in memory, and are stored when there is room", async () => {
  const database = openDatabase(join(folder, "full.db"));
  let isFull = true;
  const filling: typeof database = Object.create(database, {
    transaction: {
      value: <Result>(work: () => Result): Result => {
        if (isFull) throw new Fault("exhausted", "no space left on device");
        return database.transaction(work);
      },
    },
    all: { value: database.all.bind(database) },
    run: { value: database.run.bind(database) },
    migrate: { value: database.migrate.bind(database) },
  });
  isFull = false;
  const journal = openJournal(filling, systemClock);
  isFull = true;
  const idsSoFar = async (): Promise<string[]> => {
    const range = { sinceNs: 0n, untilNs: systemClock.now() };
    const events = await Array.fromAsync(journal.read(range, new AbortController().signal));
    return events.map((event) => event.actorId);
  };
  journal.emit(start("1"));
  journal.flush();
  assert.deepEqual(await idsSoFar(), ["1"]);
  isFull = false;
  journal.emit(start("2"));
  journal.flush();
  assert.deepEqual(await idsSoFar(), ["1", "2"]);
  assert.equal(database.all("SELECT id FROM events").length, 2);
  database.close();
});

function start(actorId: string): Omit<Event, "timeNs"> {
  return { type: "container", action: "start", actorId, attributes: { name: "web" } };
}

test("emit: a passing event reaches its readers and is not kept", async () => {
  const database = openDatabase(join(folder, "passing.db"));
  const journal = openJournal(database, systemClock);
  const stop = new AbortController();
  const seen: string[] = [];
  const reading = (async () => {
    for await (const event of journal.read({}, stop.signal)) if (seen.push(event.actorId) === 2) stop.abort();
  })();
  journal.emit({ ...start("passes"), passing: true });
  journal.emit(start("stays"));
  await reading;
  assert.deepEqual(seen, ["passes", "stays"]);
  const kept = await Array.fromAsync(
    journal.read({ sinceNs: 0n, untilNs: systemClock.now() }, AbortSignal.timeout(5000)),
  );
  assert.deepEqual(
    kept.map(({ actorId }) => actorId),
    ["stays"],
  );
  assert.ok(kept.every((event) => !("passing" in event)));
  database.close();
});
