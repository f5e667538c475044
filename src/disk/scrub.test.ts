import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf } from "#core/digest";
import type { Images } from "#images";
import { openDatabase } from "../host/database.ts";
import { Scrub } from "./scrub.ts";

const dayNs = 86_400_000_000_000n;
const signal = new AbortController().signal;

test("Scrub: every blob once in the period, evenly, across daemons; what it finds is told", async () => {
  const blobs = Array.from({ length: 14 }, (_, index) => digestOf(`${index}`)).sort((a, b) => (a < b ? -1 : 1));
  const read: Digest[] = [];
  const told: string[] = [];
  const database = openDatabase(":memory:");
  let nowNs = 1_000n * dayNs;
  const open = (scrubDays = 7): Scrub => {
    const images: Partial<Images> = {
      blobs: async () => blobs,
      checkBlob: async (digest) => {
        read.push(digest);
        const finding = { kind: "damaged blob", subject: digest, text: digest, outcome: "repairable" } as const;
        return digest === blobs[3] ? finding : undefined;
      },
    };
    const host = { clock: { now: () => nowNs }, database, paths: { dataRoot: "", execRoot: "", instance: "" } };
    return new Scrub({ host, images: images as Images, scrubDays }, (finding) => {
      told.push(finding.text);
    });
  };
  await open().step(signal);
  assert.deepEqual(read, [], "nothing is due at once");
  nowNs += dayNs;
  await open().step(signal);
  await open().step(signal);
  assert.deepEqual(read, blobs.slice(0, 2));
  nowNs += dayNs;
  await open(0).step(signal);
  assert.equal(read.length, 2, "switched off");
  await open().step(signal);
  assert.deepEqual([read.length, told], [4, [blobs[3]]]);
  nowNs += 100n * dayNs; // away for long: what is left of the round, then a new one begins
  await open().step(signal);
  assert.deepEqual(read, blobs);
  await open().step(signal);
  nowNs += dayNs;
  await open().step(signal);
  assert.deepEqual(read.slice(14), blobs.slice(0, 2));
});
