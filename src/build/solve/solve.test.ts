import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Places } from "#core/places";
import { graphOf, type Runs, solve, solveParts } from "./solve.fixture.ts";

const ends: Runs = async () => await Promise.resolve();

test("Solve: steps that do not need each other run together, and each runs once", async () => {
  const stages = Array.from({ length: 8 }, (_, index) => `FROM scratch AS s${index}\nRUN s${index}\n`).join("");
  const copies = Array.from({ length: 8 }, (_, index) => `COPY --from=s${index} / /\n`).join("");
  const [running, most, ran] = [new Set<string>(), { count: 0 }, [] as string[]];
  const { done, outcomes } = solve(solveParts(), graphOf(`${stages}FROM scratch\n${copies}`), async (command) => {
    running.add(command);
    ran.push(command);
    most.count = Math.max(most.count, running.size);
    await sleep(50);
    running.delete(command);
  });
  await done;
  assert.equal(most.count, 8);
  assert.equal(new Set(ran).size, ran.length);
  assert.equal(outcomes()["RUN s3"], "done");
});

test("Solve: what was built is taken from the cache, in whatever build, and what changed says why", async () => {
  const parts = solveParts();
  const text = "FROM scratch\nRUN one\nENV A=1\nRUN two\n";
  const first = solve(parts, graphOf(text), ends);
  const files = await first.done;
  assert.equal(first.reasons()["RUN one"], "it was not built here before");
  const none: Runs = async (command) => {
    throw new Error(`ran again: ${command}`);
  };
  const second = solve(parts, graphOf(text, { slot: "elsewhere" }), none);
  assert.deepEqual(await second.done, files);
  assert.deepEqual(second.outcomes(), {
    "FROM scratch": "done",
    "RUN one": "cached",
    "ENV A=1": "cached",
    "RUN two": "cached",
  });
  const changed = solve(parts, graphOf(text.replace("two", "three")), ends);
  await changed.done;
  assert.equal(changed.outcomes()["RUN one"], "cached");
  assert.equal(changed.reasons()["RUN three"], "its command changed");
});

test("Solve: a step is built again when its layer is gone, and when no cache is wanted", async () => {
  const parts = solveParts();
  const text = "FROM scratch\nRUN one\n";
  const { stack } = await solve(parts, graphOf(text), ends).done;
  const fresh = solve(parts, graphOf(text, { noCache: true }), ends);
  await fresh.done;
  assert.equal(fresh.outcomes()["RUN one"], "done");
  assert.equal(fresh.reasons()["RUN one"], "it was asked for without the cache");
  if (stack !== undefined) parts.lost.add(stack);
  const lost = solve(parts, graphOf(text), ends);
  await lost.done;
  assert.equal(lost.outcomes()["RUN one"], "done");
  assert.equal(lost.reasons()["RUN one"], "its result is no longer in the cache");
});

test("Solve: a step that changes nothing adds no layer, and is cached all the same", async () => {
  const parts = solveParts();
  const graph = graphOf("FROM scratch\nRUN one\nRUN nothing\n");
  assert.equal((await solve(parts, graph, ends).done).layers.length, 1);
  const again = solve(parts, graph, ends);
  assert.equal((await again.done).layers.length, 1);
  assert.equal(again.outcomes()["RUN nothing"], "cached");
});

test("Solve: a linked copy is made once for whatever it is put on", async () => {
  const parts = solveParts();
  const text = (command: string): string =>
    `FROM scratch AS a\nRUN a\nFROM scratch\nRUN ${command}\nCOPY --link --from=a / /\n`;
  const first = solve(parts, graphOf(text("one")), ends);
  const { layers } = await first.done;
  const second = solve(parts, graphOf(text("two")), ends);
  const other = await second.done;
  assert.equal(second.outcomes()["COPY --link --from=a / /"], "cached");
  assert.deepEqual(other.layers.at(-1), layers.at(-1));
  assert.notEqual(other.stack, (await first.done).stack);
});

test("Solve: the first failure ends what runs, and nothing runs any more when it is told", async () => {
  const text =
    "FROM scratch AS a\nRUN bad\nFROM scratch AS b\nRUN long\nRUN never\nFROM scratch\nCOPY --from=a / /\nCOPY --from=b / /\n";
  const state = { longRuns: false };
  const solving = solve(solveParts(), graphOf(text), async (command, _, signal) => {
    if (command === "bad") {
      await sleep(20);
      throw new Error("it is bad");
    }
    state.longRuns = true;
    await sleep(10_000, undefined, { signal }).finally(() => (state.longRuns = false));
  });
  await assert.rejects(solving.done, /it is bad/);
  assert.equal(state.longRuns, false);
  const { "RUN bad": bad, "RUN long": long, "RUN never": never } = solving.outcomes();
  assert.deepEqual([bad, long, never], ["failed", "cancelled", undefined]);
});

test("Solve: builds that need the same step share it; it ends with the last of them", async () => {
  const parts = solveParts();
  const graph = graphOf("FROM scratch\nRUN shared\n");
  const state = { runs: 0, aborted: 0 };
  const runs: Runs = async (_, watcher, signal) => {
    state.runs++;
    await watcher.output("stdout", Buffer.from("hello\n"));
    await sleep(100, undefined, { signal }).catch((error: unknown) => {
      state.aborted++;
      throw error;
    });
  };
  const leaving = new AbortController();
  const first = solve(parts, graph, runs, { signal: leaving.signal, buildId: "first" });
  await sleep(20);
  const second = solve(parts, graph, runs, { buildId: "second" });
  await sleep(20);
  leaving.abort(new Error("gone"));
  await assert.rejects(first.done);
  await second.done;
  assert.deepEqual(state, { runs: 1, aborted: 0 });
  const said = second.told.flatMap((event) => (event.kind === "output" ? [Buffer.from(event.bytes).toString()] : []));
  assert.deepEqual(said, ["hello\n"]);
});

test("Solve: when all who wait for a step have gone, it is ended", async () => {
  const parts = solveParts();
  const leaving = new AbortController();
  const state = { aborted: false };
  const solving = solve(
    parts,
    graphOf("FROM scratch\nRUN endless\n"),
    async (_command, _watcher, signal) => {
      await sleep(60_000, undefined, { signal }).finally(() => (state.aborted = signal.aborted));
    },
    { signal: leaving.signal },
  );
  await sleep(20);
  leaving.abort(new Error("gone"));
  await assert.rejects(solving.done);
  assert.equal(state.aborted, true);
});

test("Solve: a build that waits for others' steps ends at once when it is ended", async () => {
  const parts = { ...solveParts(), places: new Places(1) };
  const gate = Promise.withResolvers<void>();
  const holds = solve(parts, graphOf("FROM scratch\nRUN holds\n"), async () => await gate.promise);
  await sleep(20);
  const leaving = new AbortController();
  const waits = solve(parts, graphOf("FROM scratch\nRUN waits\n"), ends, { signal: leaving.signal, buildId: "waits" });
  await sleep(20);
  leaving.abort(new Error("gone"));
  await assert.rejects(waits.done);
  gate.resolve();
  await holds.done;
});
