import assert from "node:assert/strict";
import { test } from "node:test";
import { openLog } from "./log.ts";

test("openLog: writes one line an entry, quotes what needs it, keeps to its level", () => {
  const lines: string[] = [];
  const log = openLog(
    "info",
    (line) => lines.push(line),
    () => new Date(0),
  );
  log.debug("not shown");
  log.warn("a\nb", { id: "abc", text: "two words", none: undefined });
  assert.deepEqual(lines, ['time="1970-01-01T00:00:00.000Z" level=warn msg="a\\nb" id=abc text="two words"\n']);
});
