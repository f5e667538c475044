import { type Figure, mib } from "./figures.ts";
import type { Ground } from "./ground.ts";
import { residentBytes } from "./memory.ts";

const parallel = 4;

/** The daemon's memory after 1,000 and 3,000 runs. */
export async function growth(ground: Ground): Promise<Figure[]> {
  await runs(ground, 1000);
  const first = await settledBytes(ground);
  await runs(ground, 2000);
  const second = await settledBytes(ground);
  const limit = 120 * 1024 * 1024;
  // What an allocator keeps varies by some per cent from one moment to the next; a leak of 1 KiB a run would show as 2 MiB more.
  const grown = (second - first) / first;
  return [
    { what: "daemon's memory after 1,000 runs", measured: mib(first), target: "≤ 120 MiB", met: first <= limit },
    {
      what: "daemon's memory after 3,000 runs",
      measured: `${mib(second)} (${grown >= 0 ? "+" : ""}${(grown * 100).toFixed(1)} %)`,
      target: "no growth (≤ 5 %)",
      met: second <= limit && grown <= 0.05,
    },
  ];
}

async function runs({ api }: Ground, count: number): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await api.runOnce(["true"]);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

/** The lowest of some looks: between two collections memory goes up and down. */
async function settledBytes({ daemon }: Ground): Promise<number> {
  const looks: number[] = [];
  for (let look = 0; look < 10; look++) {
    looks.push(await residentBytes(daemon.pid));
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return Math.min(...looks);
}
