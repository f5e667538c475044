import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm, truncate, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { endOfLog, findTime, readLastLines, readLog } from "./log.ts";
import type { StreamName } from "./shim-types.ts";

type Written = readonly [StreamName, string];

test("readLog: records in order over segments, from a position, and to a torn end", async () => {
  await using dir = await folder();
  await writeSegment(
    dir.path,
    1,
    [
      ["stdout", "a\n"],
      ["stderr", "b\n"],
    ],
    100n,
  );
  await writeSegment(dir.path, 3, [["stdout", "c"]], 300n);
  assert.deepEqual(await texts(readLog(dir.path)), ["a\n", "b\n", "c"]);
  const records = await Array.fromAsync(readLog(dir.path));
  assert.deepEqual(await texts(readLog(dir.path, records[0]?.end)), ["b\n", "c"]);
  assert.equal(records[2]?.partial, true);
  await truncate(join(dir.path, "00000003.log"), 10);
  assert.deepEqual(await texts(readLog(dir.path)), ["a\n", "b\n"]);
  assert.deepEqual(await endOfLog(dir.path), { segment: 3, offset: 0 });
  await appendFile(join(dir.path, "00000001.log"), "\0\0\0");
  assert.deepEqual(await texts(readLastLines(dir.path, 1, ["stdout"])), ["a\n"]);
});

test("readLog: a segment that rotation takes away while it is read is no failure", async () => {
  await using dir = await folder();
  for (let i = 1; i <= 4; i++) await writeSegment(dir.path, i, [["stdout", `${i}\n`]], BigInt(i));
  const seen: string[] = [];
  for await (const record of readLog(dir.path)) {
    seen.push(Buffer.from(record.bytes).toString());
    if (seen.length === 1) await unlink(join(dir.path, "00000002.log"));
  }
  assert.deepEqual(seen, ["1\n", "3\n", "4\n"]);
});

test("readLog: no folder is an empty log", async () => {
  assert.deepEqual(await texts(readLog("/no/such/log")), []);
  assert.equal(await endOfLog("/no/such/log"), undefined);
  assert.deepEqual(await texts(readLastLines("/no/such/log", 5, ["stdout"])), []);
  assert.equal(await findTime("/no/such/log", 0n), undefined);
});

test("findTime: the first record at or after a time", async () => {
  await using dir = await folder();
  for (let i = 1; i <= 9; i++)
    await writeSegment(
      dir.path,
      i,
      [
        ["stdout", "x\n"],
        ["stdout", "y\n"],
      ],
      BigInt(i) * 100n,
    );
  for (const time of [0n, 100n, 101n, 102n, 350n, 500n, 901n]) {
    const expected = (await Array.fromAsync(readLog(dir.path))).find((record) => record.timeNs >= time)?.start;
    assert.deepEqual(await findTime(dir.path, time), expected, `${time}`);
  }
  assert.equal(await findTime(dir.path, 902n), undefined);
});

test("readLastLines: the same lines as splitting each stream and counting ends", async () => {
  const written = fc.array(
    fc.tuple(fc.constantFrom<StreamName>("stdout", "stderr"), fc.stringMatching(/^[ab\n]{1,6}$/)),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(
      written,
      fc.integer({ min: 0, max: 8 }),
      fc.integer({ min: 1, max: 4 }),
      async (records, lines, perSegment) => {
        await using dir = await folder();
        for (let i = 0; i * perSegment < records.length; i++)
          await writeSegment(dir.path, i + 1, records.slice(i * perSegment, (i + 1) * perSegment), BigInt(i));
        const got = { stdout: "", stderr: "" };
        for await (const record of readLastLines(dir.path, lines, ["stdout", "stderr"]))
          got[record.stream] += Buffer.from(record.bytes).toString();
        assert.deepEqual(got, expectedLines(records, lines));
      },
    ),
    { numRuns: 150 },
  );
});

/** The model: every line is known by where it ends; an unfinished one ends where its last piece does. */
function expectedLines(records: readonly Written[], lines: number): Record<StreamName, string> {
  const open = { stdout: "", stderr: "" };
  const openEnd = { stdout: 0, stderr: 0 };
  const ended: { readonly stream: StreamName; readonly text: string; readonly end: number }[] = [];
  let at = 0;
  for (const [stream, text] of records) {
    for (const character of text) {
      open[stream] += character;
      openEnd[stream] = ++at;
      if (character !== "\n") continue;
      ended.push({ stream, text: open[stream], end: at });
      open[stream] = "";
    }
  }
  for (const stream of ["stdout", "stderr"] as const)
    if (open[stream] !== "") ended.push({ stream, text: open[stream], end: openEnd[stream] });
  const last = lines === 0 ? [] : ended.toSorted((a, b) => a.end - b.end).slice(-lines);
  const joined = (stream: StreamName): string =>
    last
      .filter((line) => line.stream === stream)
      .map((line) => line.text)
      .join("");
  return { stdout: joined("stdout"), stderr: joined("stderr") };
}

async function texts(records: ReturnType<typeof readLog>): Promise<string[]> {
  return (await Array.fromAsync(records)).map((record) => Buffer.from(record.bytes).toString());
}

async function folder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "slipway-log-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

async function writeSegment(dir: string, number: number, records: readonly Written[], timeNs: bigint): Promise<void> {
  const pieces = records.map(([stream, text], index) => {
    const record = Buffer.alloc(18 + text.length);
    record.writeUInt32BE(text.length, 0);
    record.writeBigUInt64BE(timeNs + BigInt(index), 4);
    record[12] = stream === "stdout" ? 1 : 2;
    record[13] = text.endsWith("\n") ? 0 : 1;
    record.write(text, 14);
    record.writeUInt32BE(text.length, 14 + text.length);
    return record;
  });
  await writeFile(join(dir, `${`${number}`.padStart(8, "0")}.log`), Buffer.concat(pieces));
}
