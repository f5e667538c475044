import assert from "node:assert/strict";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import type { LogRecord, StreamName } from "#host";
import type { TargetLine } from "../drivers/log-driver.ts";
import { type Cursor, CursorFile, firstCursor } from "./cursor-file.ts";
import { LineCutter } from "./line-cutter.ts";

test("CursorFile: the last cursor comes back; after a write that was cut off the one before; from noise none", async () => {
  const dir = await mkdtemp(join(tmpdir(), "slipway-cursor-"));
  const path = join(dir, "cursor");
  const cursorAt = (offset: number): Cursor => ({
    places: { stdout: { segment: 2, offset, skipBytes: 3 }, stderr: { segment: 2, offset, skipBytes: 0 } },
    state: `{"inode":${offset}}`,
  });
  const read = async (): Promise<Cursor> => {
    const { file, cursor } = await CursorFile.open(path);
    await file[Symbol.asyncDispose]();
    return cursor;
  };
  try {
    assert.deepEqual(await read(), firstCursor);
    for (const offset of [10, 20, 30]) {
      const { file } = await CursorFile.open(path);
      await file.write(cursorAt(offset));
      await file[Symbol.asyncDispose]();
      assert.deepEqual(await read(), cursorAt(offset));
    }
    const raw = await open(path, "r+");
    await raw.write(Buffer.from("{torn"), 0, 5, 512 + 30); // the third write went into the second slot
    await raw.close();
    assert.deepEqual(await read(), cursorAt(20));
    await writeFile(path, "noise");
    assert.deepEqual(await read(), firstCursor);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test("LineCutter: wherever it stops, another one goes on there: every line once, in order", () => {
  const text = fc.oneof(
    fc.stringMatching(/^[ab\n]{1,8}$/),
    fc.integer({ min: 1, max: 40_000 }).map((length) => "z".repeat(length)),
  );
  const written = fc.array(fc.tuple(fc.constantFrom<StreamName>("stdout", "stderr"), text), { maxLength: 12 });
  fc.assert(
    fc.property(written, fc.integer({ min: 0, max: 12 }), (texts, at) => {
      const records = recordsOf(texts);
      const whole = new LineCutter(firstCursor.places);
      const expected = [...records.flatMap((record) => whole.push(record)), ...whole.rest()];
      const before = new LineCutter(firstCursor.places);
      const early = records.slice(0, at).flatMap((record) => before.push(record));
      const after = new LineCutter(before.places());
      const start = LineCutter.start(before.places());
      const later = records
        .filter((record) => record.start.offset >= start.offset)
        .flatMap((record) => after.push(record));
      assert.deepEqual(shown([...early, ...later, ...after.rest()]), shown(expected));
    }),
  );
});

function recordsOf(texts: readonly (readonly [StreamName, string])[]): LogRecord[] {
  let offset = 0;
  return texts.map(([stream, text]) => {
    const start = { segment: 1, offset };
    offset += 18 + text.length;
    const end = { segment: 1, offset };
    return {
      stream,
      timeNs: 1n,
      partial: !text.endsWith("\n"),
      lostBytes: undefined,
      bytes: Buffer.from(text),
      start,
      end,
    };
  });
}

/** Without the numbers of parts, which begin anew. */
function shown(lines: readonly TargetLine[]): string[] {
  return lines.map(({ stream, bytes }) => `${stream}:${Buffer.from(bytes).toString()}`);
}
