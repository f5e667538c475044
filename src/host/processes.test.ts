import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePs } from "./processes.ts";

test("parsePs: keeps the wanted pids and the command's spaces", () => {
  const text =
    "UID          PID    PPID CMD\nroot           1       0 init  one\nroot          22       1 sh -c sleep 1\n";
  assert.deepEqual(parsePs(text, new Set([22])), {
    titles: ["UID", "PID", "PPID", "CMD"],
    processes: [["root", "22", "1", "sh -c sleep 1"]],
  });
  assert.throws(() => parsePs("USER CMD\nroot x\n", new Set()), /PID field/);
});

test("parsePs: a thread goes with its process, blanks of other alphabets are no blanks", () => {
  const text = "USER PID CMD\nroot 7 -\nroot - \u00a0a\nana 8 sh\nana - b\n";
  assert.deepEqual(parsePs(text, new Set([7])).processes, [
    ["root", "7", "-"],
    ["root", "-", "\u00a0a"],
  ]);
});

test("parsePs: a column before the pid that has blanks in it is refused", () => {
  assert.throws(() => parsePs("CMD PID\nsh -c x 7\n", new Set([7])), /Unexpected pid '-c x 7'/);
});
