import assert from "node:assert/strict";
import { test } from "node:test";
import { array, assert as check, property, uint8Array } from "fast-check";
import { DetachScanner, detachKeyBytes } from "./detach-keys.ts";

test("detachKeyBytes: letters, control keys, none, and what is no key", () => {
  assert.deepEqual(detachKeyBytes("a,ctrl-[,ctrl-@,ctrl-Z"), Uint8Array.of(97, 27, 0, 26));
  assert.deepEqual(detachKeyBytes("ctrl-\\,ctrl-],ctrl-^,ctrl-_"), Uint8Array.of(28, 29, 30, 31));
  assert.deepEqual(detachKeyBytes(""), new Uint8Array());
  for (const text of ["ctrl-1", "ab", "ctrl-", "a,,b", "ä"]) assert.equal(detachKeyBytes(text), undefined, text);
});

test("DetachScanner: finds the keys across writes, and passes the rest on", () => {
  const scanner = new DetachScanner(Uint8Array.of(16, 17));
  assert.deepEqual(scanner.scan(Buffer.from("ls\x10")), { pass: Uint8Array.from(Buffer.from("ls")), detached: false });
  assert.deepEqual(scanner.scan(Buffer.from("\x10")).pass, Uint8Array.of(16));
  assert.deepEqual(scanner.scan(Buffer.from("\x11tail")), { pass: new Uint8Array(), detached: true });
});

test("DetachScanner: what is not the keys goes on unchanged, however it is cut", () => {
  const piece = uint8Array({ max: 3, maxLength: 6 });
  check(
    property(array(piece, { maxLength: 12 }), (pieces) => {
      const scanner = new DetachScanner(Uint8Array.of(1, 2));
      const whole = Buffer.concat(pieces);
      const passed: Uint8Array[] = [];
      for (const bytes of pieces) {
        const { pass, detached } = scanner.scan(bytes);
        passed.push(pass);
        if (!detached) continue;
        assert.ok(whole.includes(Uint8Array.of(1, 2)));
        assert.deepEqual(Buffer.concat(passed), whole.subarray(0, whole.indexOf(Uint8Array.of(1, 2))));
        return;
      }
      assert.equal(whole.includes(Uint8Array.of(1, 2)), false);
      const held = whole.at(-1) === 1 ? 1 : 0;
      assert.deepEqual(Buffer.concat(passed), whole.subarray(0, whole.length - held));
    }),
  );
});
