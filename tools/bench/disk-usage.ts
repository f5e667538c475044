import { type Figure, median, ms, timed } from "./figures.ts";
import type { Ground } from "./ground.ts";

const images = 200;
const containers = { running: 50, ended: 750, created: 200 };
const parallel = 8;
const limitMs = 200;

/** `system df` with 200 images and 1,000 containers, of which 50 run and 750 have ended; all of those have written something. */
export async function diskUsage(ground: Ground, rounds: number): Promise<Figure[]> {
  const { api } = ground;
  const ids = [
    ...(await many(containers.ended, async (index) => {
      const id = await start(ground, `head -c ${index} /dev/zero > /tmp/f`);
      await api.ask("POST", `/containers/${id}/wait`);
      return id;
    })),
    ...(await many(
      containers.running,
      async (index) => await start(ground, `echo ${index} > /tmp/f; exec sleep 100000`),
    )),
    ...(await many(containers.created, async () => await api.create(["true"]))),
  ];
  // Ten different layers of their own, each in twenty images.
  await many(images, async (index) => {
    const query = new URLSearchParams({ container: ids[100 + (index % 10)] ?? "", changes: `LABEL n=${index}` });
    await api.ask("POST", `/commit?${query.toString()}`);
  });
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) times.push(await timed(async () => await api.ask("GET", "/system/df")));
  await many(ids.length, async (index) => await api.ask("DELETE", `/containers/${ids[index]}?force=1`));
  await api.ask("POST", "/images/prune?filters=%7B%22dangling%22%3A%5B%22true%22%5D%7D");
  return [
    {
      what: `system df with ${images} images and ${ids.length} containers, ${containers.running} of them running`,
      measured: `median ${ms(median(times))}, worst ${ms(Math.max(...times))}; ${rounds} times`,
      target: `≤ ${limitMs} ms`,
      met: median(times) <= limitMs,
    },
  ];
}

async function start({ api }: Ground, script: string): Promise<string> {
  const id = await api.create(["sh", "-c", script], "none");
  await api.ask("POST", `/containers/${id}/start`);
  return id;
}

async function many<Result>(count: number, make: (index: number) => Promise<Result>): Promise<Result[]> {
  const made: Result[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      made[index] = await make(index);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return made;
}
