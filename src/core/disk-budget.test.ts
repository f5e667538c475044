import assert from "node:assert/strict";
import { test } from "node:test";
import { diskBudgetText, parseDiskBudget } from "./disk-budget.ts";

test("parseDiskBudget: sizes, shares, off, and their text again", () => {
  const texts = { off: "off", "85%": "85%", "20GB": "20GB", "1.5TB": "1500GB", "150m": "150MB", "1GiB": "1073741824B" };
  for (const [text, again] of Object.entries(texts)) assert.equal(diskBudgetText(parseDiskBudget(text)), again);
  assert.deepEqual(parseDiskBudget("20 GB"), { kind: "size", bytes: 20_000_000_000 });
  for (const text of ["", "0%", "101%", "85", "20XB", "-1GB", "1MB", "on", "9".repeat(400)])
    assert.throws(() => parseDiskBudget(text), /invalid disk budget/, text);
});
