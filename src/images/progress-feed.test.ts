import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { progressFeed, type Report } from "./progress-feed.ts";

const never = new AbortController().signal;

test("progressFeed: counts come rarely, their last and all other lines always", async () => {
  const work = (report: Report): Promise<void> => {
    report({ id: "a", status: "Pulling fs layer" });
    for (let current = 1; current <= 10_000; current++)
      report({ id: "a", status: "Downloading", current, total: 10_000 });
    report({ id: "a", status: "Download complete" });
    return Promise.resolve();
  };
  const seen = await Array.fromAsync(progressFeed(work, never));
  assert.deepEqual(
    seen.map(({ current }) => current),
    [undefined, 10_000, undefined],
  );
});

test("progressFeed: an error comes after all that was said before it", async () => {
  const work = async (report: Report): Promise<void> => {
    report({ status: "one" });
    throw new Error("broken");
  };
  const reading = progressFeed(work, never);
  assert.deepEqual((await reading.next()).value, { status: "one" });
  await assert.rejects(reading.next(), /broken/);
});

test("progressFeed: a reader that leaves aborts the work and waits for its end", async () => {
  let ended = false;
  const work = async (report: Report, signal: AbortSignal): Promise<void> => {
    report({ status: "one" });
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    ended = true;
  };
  for await (const { status } of progressFeed(work, never)) if (status === "one") break;
  assert.ok(ended);
});

test("progressFeed: an aborted caller's work ends as cancelled", async () => {
  const stop = new AbortController();
  const work = async (report: Report, signal: AbortSignal): Promise<void> => {
    report({ status: "one" });
    await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
  };
  const reading = progressFeed(work, stop.signal);
  await reading.next();
  stop.abort();
  await assert.rejects(reading.next(), (error) => !isFault(error, "internal"));
});
