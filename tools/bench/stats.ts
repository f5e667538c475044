import type { Figure } from "./figures.ts";
import type { Ground } from "./ground.ts";
import { processorMs } from "./processor-time.ts";

const watched = 100;
const settleMs = 10_000;
const measuredMs = 10_000;

/** Processor time of the daemon while 100 containers are watched, one stream for each as `docker stats` has it; against nobody watching. */
export async function stats(ground: Ground): Promise<Figure[]> {
  const { api, daemon } = ground;
  const ids: string[] = [];
  for (let index = 0; index < watched; index++) {
    const id = await api.create(["sleep", "100000"]);
    await api.ask("POST", `/containers/${id}/start`);
    ids.push(id);
  }
  const idle = await shareOfCore(daemon.pid);
  const streams = await Promise.all(ids.map(async (id) => await api.open("GET", `/containers/${id}/stats`)));
  let samples = 0;
  for (const stream of streams) stream.on("data", () => samples++);
  const busy = await shareOfCore(daemon.pid);
  const perSecond = samples / ((settleMs + measuredMs) / 1000);
  for (const stream of streams) stream.destroy();
  for (const id of ids) await api.ask("DELETE", `/containers/${id}?force=1`);
  const cost = busy - idle;
  return [
    {
      what: `daemon's processor time with ${watched} containers watched`,
      measured: `${cost.toFixed(2)} % of a core (${perSecond.toFixed(0)} samples a second; ${idle.toFixed(2)} % with nobody watching)`,
      target: "≤ 2 %",
      met: cost <= 2,
    },
  ];
}

/** Percent of one core that the process takes over some seconds, once it has settled. */
async function shareOfCore(pid: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const { own: before } = await processorMs(pid);
  const started = performance.now();
  await new Promise((resolve) => setTimeout(resolve, measuredMs));
  const { own: after } = await processorMs(pid);
  return ((after - before) / (performance.now() - started)) * 100;
}
