import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { lineCollector } from "../../test/fixtures/collectors.ts";
import { writeLargeLog } from "../../test/fixtures/log-segments.ts";
import { type Figure, median, ms, timed } from "./figures.ts";
import type { Ground } from "./ground.ts";
import { processorMs } from "./processor-time.ts";

const gibibyte = 1024 ** 3;
const idleContainers = 100;
const idleSeconds = 20;

/** Finding a place in a log of 1 GB over the API, and what forwarders of containers that say nothing cost. */
export async function logs(ground: Ground, rounds: number): Promise<Figure[]> {
  return [...(await seeking(ground, rounds)), await idling(ground)];
}

async function seeking({ api, daemon }: Ground, rounds: number): Promise<Figure[]> {
  const id = await api.create(["true"], "none");
  await api.ask("POST", `/containers/${id}/start`);
  await api.ask("POST", `/containers/${id}/wait`);
  const startNs = 1_700_000_000_000_000_000n;
  const endNs = writeLargeLog(join(daemon.roots.dataRoot, "containers", id, "log"), gibibyte, startNs);
  const asked = async (query: string): Promise<number[]> => {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      times.push(await timed(async () => await api.ask("GET", `/containers/${id}/logs?stdout=1&${query}`)));
    }
    return times;
  };
  const seconds = (timeNs: bigint): string =>
    `${timeNs / 1_000_000_000n}.${String(timeNs % 1_000_000_000n).padStart(9, "0")}`;
  const middleNs = (startNs + endNs) / 2n;
  const figure = (what: string, times: readonly number[]): Figure => ({
    what: `${what} of a log of 1 GB`,
    measured: `median ${ms(median(times))}, slowest ${ms(Math.max(...times))}`,
    target: "< 100 ms",
    met: median(times) < 100,
  });
  const figures = [
    figure("--tail 100", await asked("tail=100")),
    figure("--since a tenth of a second before the end", await asked(`since=${seconds(endNs - 100_000_000n)}`)),
    figure(
      "--since the middle --until a tenth of a second later",
      await asked(`since=${seconds(middleNs)}&until=${seconds(middleNs + 100_000_000n)}`),
    ),
  ];
  await api.ask("DELETE", `/containers/${id}`);
  return figures;
}

async function idling({ api, daemon }: Ground): Promise<Figure> {
  const { collector, lines } = lineCollector();
  await using target = collector;
  await target.listen();
  const options = { "syslog-address": `tcp://127.0.0.1:${target.port}` };
  const ids: string[] = [];
  for (let index = 0; index < idleContainers; index++) {
    const { Id } = await api.ask<{ Id: string }>("POST", "/containers/create", {
      Image: "busybox:latest",
      Cmd: ["sh", "-c", "echo up; exec sleep 100000"],
      HostConfig: { NetworkMode: "none", LogConfig: { Type: "syslog", Config: options } },
    });
    await api.ask("POST", `/containers/${Id}/start`);
    ids.push(Id);
  }
  while (lines.length < idleContainers) await sleep(50);
  await sleep(2000);
  const { own: before } = await processorMs(daemon.pid);
  await sleep(idleSeconds * 1000);
  const { own: after } = await processorMs(daemon.pid);
  const share = (after - before) / (idleSeconds * 1000);
  for (const id of ids) await api.ask("DELETE", `/containers/${id}?force=1`);
  return {
    what: `processor time of the daemon with ${idleContainers} idle containers that log to syslog`,
    measured: `${(share * 100).toFixed(2)} % of a core`,
    target: "≤ 0.5 %",
    met: share <= 0.005,
  };
}
