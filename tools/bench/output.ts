import { setTimeout as sleep } from "node:timers/promises";
import { type Figure, mib, timed } from "./figures.ts";
import type { Ground } from "./ground.ts";
import { parentOf, residentBytes } from "./memory.ts";

const gibibyte = 1024 ** 3;

/** A container that writes 1 GiB to standard output: how fast, and what it costs in memory, also with a reader who has stopped reading. */
export async function output(ground: Ground): Promise<Figure[]> {
  const plain = await write(ground, false);
  const stalled = await write(ground, true);
  const bare = await ground.stopwatch.time(`head -c ${gibibyte} /dev/zero | cat`);
  const speed = (seconds: number): string => `${seconds.toFixed(1)} s, ${mib(gibibyte / seconds)}/s`;
  return [
    { what: "1 GiB to stdout", measured: `${speed(plain.seconds)} (a bare pipe: ${speed(bare / 1000)})` },
    memoryFigure("memory of daemon and monitor meanwhile", plain.grownBytes),
    { what: "1 GiB to stdout with a stalled logs -f", measured: speed(stalled.seconds) },
    memoryFigure("memory of daemon and monitor meanwhile", stalled.grownBytes),
  ];
}

function memoryFigure(what: string, bytes: number): Figure {
  return {
    what,
    measured: `+${mib(Math.max(0, bytes))} at most`,
    target: "flat (≤ 32 MiB)",
    met: bytes <= 32 * 1024 * 1024,
  };
}

async function write(
  { api, daemon }: Ground,
  stalledReader: boolean,
): Promise<{ seconds: number; grownBytes: number }> {
  const id = await api.create(["sh", "-c", `sleep 1; head -c ${gibibyte} /dev/zero`], "none");
  await api.ask("POST", `/containers/${id}/start`);
  const monitor = await parentOf(await api.pidOf(id));
  // The answer's body is never read.
  const reader = stalledReader ? await api.open("GET", `/containers/${id}/logs?follow=1&stdout=1`) : undefined;
  const before = (await residentBytes(daemon.pid)) + (await residentBytes(monitor));
  let grownBytes = 0;
  const look = async (): Promise<void> => {
    const now = (await residentBytes(daemon.pid)) + (await residentBytes(monitor).catch(() => 0));
    grownBytes = Math.max(grownBytes, now - before);
  };
  const tookMs = await timed(async () => {
    const ended = api.ask("POST", `/containers/${id}/wait`).then(() => true);
    while (!(await Promise.race([ended, sleep(50, false)]))) await look();
  });
  reader?.destroy();
  await api.ask("DELETE", `/containers/${id}?force=1`);
  return { seconds: Math.max(0.001, tookMs / 1000 - 1), grownBytes };
}
