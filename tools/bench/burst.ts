import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { mustRun } from "../../test/fixtures/program.ts";
import { type Figure, median, ms, timed } from "./figures.ts";
import type { Ground } from "./ground.ts";

const burstSize = 100;
const bursts = 5;
/** The kernel takes the namespaces of the burst before down in its own time. */
const settleMs = 2000;

/**
 * A hundred containers started at once over the API, against as many bare `crun run` spread over the processors: by
 * arithmetic (a bare start uses more than one processor itself), and as xargs really runs them.
 */
export async function burst(ground: Ground): Promise<Figure[]> {
  const single: number[] = [];
  const bareBursts: number[] = [];
  const bridged: number[] = [];
  const lonely: number[] = [];
  await startAtOnce(ground, "none"); // the first one teaches the daemon its filter
  for (let round = 0; round < bursts; round++) {
    single.push(...(await bareStarts(ground, 20)));
    bareBursts.push(await bareStartsAtOnce(ground));
    bridged.push(await startAtOnce(ground, "default"));
    lonely.push(await startAtOnce(ground, "none"));
  }
  const share = (burstSize * median(single)) / availableParallelism();
  const figure = (network: string, times: readonly number[]): Figure => {
    const ratio = median(times) / share;
    return {
      what: `start of ${burstSize} containers at once (${network}), against ${burstSize} × bare crun run / ${availableParallelism()} processors`,
      measured:
        `${ratio.toFixed(2)} × (median ${ms(median(times))} against ${ms(share)}; ${bursts} bursts); ` +
        `${(median(times) / median(bareBursts)).toFixed(2)} × bare crun by xargs -P ${availableParallelism()}`,
      target: "≤ 1.5 ×",
      met: ratio <= 1.5,
    };
  };
  return [figure("bridge", bridged), figure("network none", lonely)];
}

/** From the first request to the last answer; all of them run then. */
async function startAtOnce({ api }: Ground, network: string): Promise<number> {
  await sleep(settleMs);
  const ids: string[] = [];
  for (let index = 0; index < burstSize; index++) ids.push(await api.create(["sleep", "100000"], network));
  const time = await timed(
    async () => await Promise.all(ids.map(async (id) => await api.ask("POST", `/containers/${id}/start`))),
  );
  await Promise.all(ids.map(async (id) => await api.ask("DELETE", `/containers/${id}?force=1`)));
  return time;
}

async function bareStartsAtOnce({ stopwatch, crunRoot, makeBundle }: Ground): Promise<number> {
  const bundle = await makeBundle("burst", ["/bin/sleep", "100000"]);
  const names = Array.from({ length: burstSize }, (_none, index) => `bench-bare-${process.pid}-${index}`);
  const start = `crun --root ${crunRoot} run -d -b ${bundle} {} </dev/null >/dev/null 2>&1`;
  const time = await stopwatch.time(
    `echo ${names.join(" ")} | tr " " "\\n" | xargs -P ${availableParallelism()} -I{} sh -c "${start}"`,
  );
  for (const name of names) await mustRun("crun", ["--root", crunRoot, "delete", "--force", name]);
  return time;
}

async function bareStarts({ stopwatch, crunRoot, makeBundle }: Ground, count: number): Promise<number[]> {
  const bundle = await makeBundle("burst", ["/bin/sleep", "100000"]);
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const name = `bench-burst-${process.pid}-${index}`;
    times.push(await stopwatch.time(`crun --root ${crunRoot} run -d -b ${bundle} ${name} </dev/null 2>/dev/null`));
    await mustRun("crun", ["--root", crunRoot, "delete", "--force", name]);
  }
  return times;
}
