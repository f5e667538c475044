import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeafTo, isProcessDeafTo, parseSignalMasks, readSignalMasks } from "./signal-masks.ts";

const hup = 1;
const int = 2;
const kill = 9;
const term = 15;

function status(fields: Partial<Record<"NSpid" | "SigBlk" | "SigIgn" | "SigCgt", string>>): string {
  const all = { NSpid: "4242\t1", SigBlk: "0".repeat(16), SigIgn: "0".repeat(16), SigCgt: "0".repeat(16), ...fields };
  const lines = Object.entries(all).map(([name, value]) => `${name}:\t${value}`);
  return `Name:\tsleep\nPid:\t4242\n${lines.join("\n")}\nCapInh:\t0000000000000000\n`;
}

function deaf(fields: Parameters<typeof status>[0], signal = term): boolean | undefined {
  const masks = parseSignalMasks(status(fields));
  return masks === undefined ? undefined : isDeafTo(masks, signal);
}

test("isDeafTo: a first process that neither catches nor blocks; any process that ignores", () => {
  assert.equal(deaf({}), true);
  assert.equal(deaf({ SigCgt: "0000000000004002" }), false); // INT, TERM
  assert.equal(deaf({ SigCgt: "0000000000004002" }, hup), true);
  assert.equal(deaf({ SigBlk: "0000000000004000" }), false); // waited for
  assert.equal(deaf({ SigIgn: "0000000000004000" }), true);
  assert.equal(deaf({}, kill), false);
  assert.equal(deaf({ SigCgt: "8000000000000000" }, 64), false);
});

test("isDeafTo: in the host's pid namespace, and below the first process, signals have their default action", () => {
  assert.equal(deaf({ NSpid: "4242" }), false);
  assert.equal(deaf({ NSpid: "4242\t17" }), false);
  assert.equal(deaf({ NSpid: "4242", SigIgn: "0000000000000002" }, int), true);
  assert.equal(deaf({ NSpid: "99\t4242\t1" }), true); // nested
});

test("readSignalMasks: of a live process, not of one that is gone", () => {
  assert.equal(readSignalMasks(process.pid)?.isFirst, false);
  assert.equal(readSignalMasks(2 ** 30), undefined);
  assert.equal(isProcessDeafTo(2 ** 30, term), false);
  assert.equal(parseSignalMasks("Name:\tx\nState:\tZ (zombie)\n"), undefined);
});
