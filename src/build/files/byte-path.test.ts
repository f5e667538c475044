import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { bytesOf, textOf } from "./byte-path.ts";

test("textOf, bytesOf: any bytes have a text, and come back", () => {
  fc.assert(
    fc.property(fc.uint8Array({ max: 255 }), (bytes) => {
      const name = Buffer.from(bytes).toString("latin1");
      assert.equal(bytesOf(textOf(name)), name);
    }),
    { numRuns: 5000 },
  );
});

test("textOf, bytesOf: any text is its UTF-8", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const name = Buffer.from(text).toString("latin1");
      assert.equal(textOf(name), text);
      assert.equal(bytesOf(text), name);
    }),
  );
});
