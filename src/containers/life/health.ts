import { setTimeout as sleep } from "node:timers/promises";
import { announce } from "../announce.ts";
import { healthTimes } from "../config/healthcheck.ts";
import type { Health, HealthResult } from "../containers.ts";
import type { Room } from "../room.ts";
import { isRunning } from "../state.ts";
import type { ContainerRecord } from "../store.ts";
import { afterProbe, freshHealth, probeDelayMs } from "./health-state.ts";
import { Probe } from "./probe.ts";
import { within } from "./within.ts";

/** The health checks of a container while it runs. */
export interface HealthWatch {
  readonly stop: AbortController;
  /** Settles when no probe is left; never rejects. */
  readonly over: Promise<void>;
}

/** Begins the checks of a new run: the container is `starting`. Quiet when it has no check. */
export function beginHealth(room: Room, id: string): void {
  if (room.store.get(id)?.process.probe === undefined) return;
  room.store.setHealth(id, freshHealth(room.store.healthOf(id)), { keep: true });
  watch(room, id, false);
}

/** Goes on with the checks of a container that was running already: after a pause, or (`takenUp`) with another daemon. */
export function resumeHealth(room: Room, id: string, { takenUp }: { readonly takenUp: boolean }): void {
  const record = room.store.get(id);
  if (record?.process.probe === undefined) return;
  if (room.store.healthOf(id) === undefined) beginHealth(room, id);
  else watch(room, id, takenUp);
}

/** Ends the checks; a probe that runs is killed. Resolves when nothing of them is left in the container (or soon after). */
export async function endHealth(room: Room, id: string): Promise<void> {
  const running = room.healthWatches.get(id);
  if (running === undefined) return;
  room.healthWatches.delete(id);
  running.stop.abort();
  await within(running.over, killTimeMs);
}

/** What clients are shown: as in Docker, a container that does not run (or is paused) is not healthy. */
export function shownHealth(room: Room, record: ContainerRecord): Health | undefined {
  const health = room.store.healthOf(record.id);
  if (health === undefined || record.state.status === "running") return health;
  return { ...health, status: "unhealthy" };
}

function watch(room: Room, id: string, takenUp: boolean): void {
  room.healthWatches.get(id)?.stop.abort();
  const stop = new AbortController();
  const over = probeAgainAndAgain(room, id, takenUp, stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) room.onUnexpected(error);
  });
  room.healthWatches.set(id, { stop, over });
}

async function probeAgainAndAgain(room: Room, id: string, takenUp: boolean, signal: AbortSignal): Promise<void> {
  const record = room.store.get(id);
  if (record?.process.probe === undefined || !isRunning(record.state)) return;
  const { startedNs } = record.state;
  const times = healthTimes(record.process.healthcheck ?? {});
  await using probe = new Probe(room, record, record.process.probe);
  for (let isFirst = true; ; isFirst = false) {
    const status = room.store.healthOf(id)?.status ?? "starting";
    // The start is told by another process, whose clock may be ahead by a moment: it would seem to be in a start period.
    const ageMs = Math.max(0, Number(room.clock.now() - startedNs) / 1e6);
    const delayMs = probeDelayMs(status, times, ageMs, Math.random(), takenUp && isFirst);
    await sleep(Math.min(delayMs, longestTimerMs), undefined, { signal, ref: false });
    const result = await probe.run(signal);
    if (signal.aborted) return;
    noteResult(room, id, (health) => afterProbe(health, result, times, startedNs), result);
  }
}

/** Only a change of the status is worth a write to the disk. */
function noteResult(room: Room, id: string, next: (health: Health) => Health, result: HealthResult): void {
  const record = room.store.get(id);
  const before = room.store.healthOf(id);
  if (record === undefined || before === undefined) return;
  const health = next(before);
  const isChange = health.status !== before.status;
  room.store.setHealth(id, health, { keep: isChange });
  if (!isChange) return;
  announce(room, record, `health_status: ${health.status}`);
  if (health.status === "unhealthy") {
    room.log?.warn("a container is unhealthy", { container: record.name, exitCode: result.exitCode });
  }
}

const killTimeMs = 2000;
/** What a timer can hold. */
const longestTimerMs = 2 ** 31 - 1;
