import { type Figure, median, ms, timed } from "./figures.ts";
import type { Ground } from "./ground.ts";

const crowdSize = 300;

/** The start of a container with 300 others running, against none: before, with, and after the crowd. */
export async function crowd(ground: Ground, rounds: number): Promise<Figure[]> {
  const { api } = ground;
  const alone = await starts(ground, rounds);
  const ids: string[] = [];
  for (let index = 0; index < crowdSize; index++) {
    const id = await api.create(["sleep", "100000"]);
    await api.ask("POST", `/containers/${id}/start`);
    ids.push(id);
  }
  const crowded = await starts(ground, rounds);
  const removals = await timed(async () => {
    for (const id of ids) await api.ask("DELETE", `/containers/${id}?force=1`);
  });
  alone.push(...(await starts(ground, rounds)));
  const ratio = median(crowded) / median(alone);
  return [
    {
      what: `start with ${crowdSize} containers running, against none`,
      measured: `${ratio.toFixed(2)} × (median ${ms(median(crowded))} against ${ms(median(alone))}; ${crowded.length} starts)`,
      target: "≤ 1.3 ×",
      met: ratio <= 1.3,
    },
    { what: "forced removal of one of them", measured: ms(removals / crowdSize) },
  ];
}

async function starts(ground: Ground, rounds: number): Promise<number[]> {
  const { api } = ground;
  const times: number[] = [];
  for (let round = 0; round < rounds + 3; round++) {
    const id = await api.create(["sleep", "100000"]);
    const time = await timed(async () => await api.ask("POST", `/containers/${id}/start`));
    if (round >= 3) times.push(time);
    await api.ask("DELETE", `/containers/${id}?force=1`);
  }
  return times;
}
