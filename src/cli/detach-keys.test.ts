import assert from "node:assert/strict";
import { test } from "node:test";
import { array, assert as check, constantFrom, property } from "fast-check";
import { DetachWatch, parseDetachKeys } from "./detach-keys.ts";

test("parseDetachKeys: letters, controls, the default", () => {
  assert.deepEqual([...parseDetachKeys("")], [16, 17]);
  assert.deepEqual([...parseDetachKeys("ctrl-a,d")], [1, 100]);
  assert.deepEqual([...parseDetachKeys("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_")], [0, 27, 28, 29, 30, 31]);
  assert.throws(() => parseDetachKeys("ctrl-A1"), /invalid detach keys/);
});

function feed(chunks: readonly (readonly number[])[]): { sent: number[]; detached: boolean } {
  const watch = new DetachWatch(parseDetachKeys(""));
  const sent: number[] = [];
  for (const chunk of chunks) {
    const { detached, send } = watch.feed(Uint8Array.from(chunk));
    sent.push(...send);
    if (detached) return { sent, detached };
  }
  return { sent, detached: false };
}

test("DetachWatch: holds a beginning back until it is clear", () => {
  assert.deepEqual(feed([[97, 16], [98]]), { sent: [97, 16, 98], detached: false });
  assert.deepEqual(feed([[97, 16], [17], [98]]), { sent: [97], detached: true });
  assert.deepEqual(feed([[16, 16, 17]]), { sent: [16], detached: true });
  assert.deepEqual(feed([[16]]), { sent: [], detached: false });
});

test("DetachWatch: what is sent does not depend on how the bytes are cut", () => {
  const bytes = array(constantFrom(16, 17, 97), { maxLength: 12 });
  check(
    property(bytes, (all) => {
      assert.deepEqual(feed(all.map((byte) => [byte])), feed([all]));
      const { detached, sent } = feed([all]);
      if (!detached) assert.deepEqual(all.slice(0, sent.length), sent);
    }),
  );
});
