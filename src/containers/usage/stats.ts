import type { UsageSample } from "../containers.ts";
import type { Room } from "../room.ts";
import { isRunning } from "../state.ts";
import { UsageReader } from "./read-usage.ts";

/** What a container uses; see the door. Faults of the name come at the call. */
export function stats(
  room: Room,
  nameOrId: string,
  options: { readonly once: boolean; readonly oneShot: boolean },
  signal: AbortSignal,
): AsyncIterable<UsageSample> {
  const { id } = room.store.find(nameOrId);
  return options.once ? single(room, id, options.oneShot, signal) : room.sampler.watch(id, signal);
}

async function* single(room: Room, id: string, oneShot: boolean, signal: AbortSignal): AsyncGenerator<UsageSample> {
  const record = room.store.get(id);
  if (record === undefined) return;
  if (oneShot || !isRunning(record.state)) {
    const reader = new UsageReader(room);
    const sample = reader.read(id);
    reader.release(id);
    if (sample !== undefined) yield sample;
    return;
  }
  const askedNs = room.clock.now();
  for await (const sample of room.sampler.watch(id, signal)) {
    // What others saw before the question is no answer to it.
    if (sample.usage !== undefined && (sample.before === undefined || sample.usage.timeNs < askedNs)) continue;
    yield sample;
    return;
  }
}
