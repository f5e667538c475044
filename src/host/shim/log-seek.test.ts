import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeLargeLog } from "#fixtures/log-segments";
import { findTime, readLastLines, readLog } from "./log.ts";

const startNs = 1_700_000_000_000_000_000n;

async function timedMs<Result>(work: () => Promise<Result>): Promise<{ readonly result: Result; readonly ms: number }> {
  const begun = performance.now();
  const result = await work();
  return { result, ms: performance.now() - begun };
}

async function count(records: AsyncIterable<unknown>): Promise<number> {
  let found = 0;
  for await (const _record of records) found++;
  return found;
}

test("findTime, readLastLines: a place in a log of 1 GB is found without reading it", async () => {
  const dir = await mkdtemp(join(tmpdir(), "slipway-seek-"));
  try {
    const endNs = writeLargeLog(dir, 1024 ** 3, startNs);
    const scan = await timedMs(async () => await count(readLog(dir, { segment: 64, offset: 0 })));
    const fullMs = scan.ms * 64;
    for (const wantedNs of [endNs - 500_000_000n, (startNs + endNs) / 2n, startNs + 1n]) {
      const { result, ms } = await timedMs(async () => {
        const place = await findTime(dir, wantedNs);
        for await (const record of readLog(dir, place)) return record.timeNs;
        return undefined;
      });
      assert.ok(result !== undefined && result >= wantedNs && result - wantedNs < 1_000_000n, `${wantedNs}: ${result}`);
      assert.ok(ms < fullMs / 10, `since: ${ms.toFixed(0)} ms, a full scan takes ${fullMs.toFixed(0)} ms`);
    }
    const last = await timedMs(async () => await count(readLastLines(dir, 1000, ["stdout", "stderr"])));
    assert.equal(last.result, 1000);
    assert.ok(last.ms < fullMs / 10, `tail: ${last.ms.toFixed(0)} ms, a full scan takes ${fullMs.toFixed(0)} ms`);
    assert.equal(await findTime(dir, endNs), undefined);
  } finally {
    await rm(dir, { recursive: true });
  }
});
