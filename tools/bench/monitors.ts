import { type Figure, median } from "./figures.ts";
import type { Ground } from "./ground.ts";
import { parentOf, privateBytes } from "./memory.ts";

/** What a container's monitor costs in memory of its own. */
export async function monitors({ api }: Ground, rounds: number): Promise<Figure[]> {
  const ids: string[] = [];
  const sizes: number[] = [];
  for (let index = 0; index < rounds; index++) {
    const id = await api.create(["sh", "-c", "echo ready; sleep 100000"]);
    ids.push(id);
    await api.ask("POST", `/containers/${id}/start`);
    sizes.push(await privateBytes(await parentOf(await api.pidOf(id))));
  }
  for (const id of ids) await api.ask("DELETE", `/containers/${id}?force=1`);
  const size = median(sizes) / 1024 / 1024;
  return [
    { what: "private memory of a monitor", measured: `${size.toFixed(2)} MiB`, target: "≤ 0.5 MiB", met: size <= 0.5 },
  ];
}
