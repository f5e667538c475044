import assert from "node:assert/strict";
import { test } from "node:test";
import type { Progress } from "./images.ts";
import { openProgressFeed } from "./pull-progress.ts";

test("openProgressFeed: counts come rarely, their first and last and all other lines always", async () => {
  const feed = openProgressFeed(60_000);
  feed.push({ id: "a", status: "Pulling fs layer" });
  for (let current = 1; current <= 1000; current++) feed.push({ id: "a", status: "Downloading", current, total: 1000 });
  feed.push({ id: "a", status: "Download complete" });
  feed.end();
  const seen = await Array.fromAsync(feed.read());
  assert.deepEqual(
    seen.map(({ current }) => current),
    [undefined, 1000, undefined],
  );
});

test("openProgressFeed: a reader that sleeps finds one count a layer", async () => {
  const feed = openProgressFeed(0);
  for (let current = 1; current < 10_000; current++) {
    for (const id of ["a", "b"]) feed.push({ id, status: "Downloading", current, total: 10_000 });
  }
  feed.end();
  const seen: Progress[] = await Array.fromAsync(feed.read());
  assert.deepEqual(
    seen.map(({ id, current }) => `${id} ${current}`),
    ["a 9999", "b 9999"],
  );
});

test("openProgressFeed: an error comes after all that was said before it", async () => {
  const feed = openProgressFeed();
  feed.push({ status: "one" });
  feed.end(new Error("broken"));
  feed.end();
  const reading = feed.read();
  assert.deepEqual((await reading.next()).value, { status: "one" });
  await assert.rejects(reading.next(), /broken/);
});
