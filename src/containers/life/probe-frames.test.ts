import assert from "node:assert/strict";
import { test } from "node:test";
import type { OutputChunk } from "#host";
import { type ProbeFrame, probeFrames } from "./probe-frames.ts";

async function read(...pieces: readonly Uint8Array[]): Promise<ProbeFrame[]> {
  async function* output(): AsyncGenerator<OutputChunk> {
    for (const bytes of pieces) yield { stream: "stdout", timeNs: 0n, bytes };
    yield { stream: "stderr", timeNs: 0n, bytes: Buffer.from("noise") };
  }
  return await Array.fromAsync(probeFrames(output()));
}

function frame(kind: string, more: number, number: number, output = "", length = output.length): Buffer {
  const head = Buffer.from([kind.charCodeAt(0), more, length >> 8, length & 255, 0, 0, 0, 0]);
  head.writeUInt32BE(number, 4);
  return Buffer.concat([head, Buffer.from(output)]);
}

test("probeFrames: all kinds, wherever the pieces are cut", async () => {
  const all = Buffer.concat([frame("R", 0, 0), frame("E", 1, 137, "words"), frame("F", 0, 2), frame("E", 0, 0)]);
  const wanted = [
    { kind: "ready" },
    { kind: "ended", exitCode: 137, output: Buffer.from("words"), hasMore: true },
    { kind: "refused", errno: 2 },
    { kind: "ended", exitCode: 0, output: Buffer.alloc(0), hasMore: false },
  ];
  assert.deepEqual(await read(all), wanted);
  for (let at = 0; at < all.length; at++) assert.deepEqual(await read(all.subarray(0, at), all.subarray(at)), wanted);
  assert.deepEqual(await read(frame("E", 0, 0, "cut short").subarray(0, 12)), []);
});

test("probeFrames: what is no frame ends it", async () => {
  const wrong = [
    frame("X", 0, 0),
    frame("R", 0, 1),
    frame("R", 1, 0),
    frame("R", 0, 0, "output"),
    frame("E", 2, 0),
    frame("E", 0, 256),
    frame("F", 0, 0),
    frame("F", 0, 4096),
    frame("F", 0, 2, "output"),
    frame("E", 0, 0, "", 4097),
    Buffer.from("any words of a program"),
  ];
  for (const bytes of wrong) await assert.rejects(read(bytes), /probe runner's answer/, bytes.toString("hex"));
});
