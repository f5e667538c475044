import { type Figure, median, ms, timed } from "./figures.ts";
import type { Ground } from "./ground.ts";
import { processorMs } from "./processor-time.ts";

const manyNetworks = 1000;
const manyPorts = 1000;
const sample = 25;
const moves = 100;

/** What an endpoint costs the daemon, and whether the thousandth network and port cost more than the first ones. */
export async function networks(ground: Ground): Promise<Figure[]> {
  return [await endpointCost(ground), await networkGrowth(ground), await portGrowth(ground)];
}

/** One container that joins a network and leaves it, over and over. */
async function endpointCost({ api, daemon }: Ground): Promise<Figure> {
  const { Id: network } = await api.ask<{ Id: string }>("POST", "/networks/create", { Name: "bench-moves" });
  const container = await api.create(["sleep", "100000"]);
  await api.ask("POST", `/containers/${container}/start`);
  const move = async (): Promise<void> => {
    await api.ask("POST", `/networks/${network}/connect`, { Container: container });
    await api.ask("POST", `/networks/${network}/disconnect`, { Container: container });
  };
  for (let warmUp = 0; warmUp < 10; warmUp++) await move();
  const before = await processorMs(daemon.pid);
  for (let round = 0; round < moves; round++) await move();
  const cost = ((await processorMs(daemon.pid)).own - before.own) / moves;
  await api.ask("DELETE", `/containers/${container}?force=1`);
  await api.ask("DELETE", `/networks/${network}`);
  return {
    what: "daemon's processor time for network connect and disconnect of a running container",
    measured: `${ms(cost)} (${moves} of each)`,
    target: "≤ 5 ms",
    met: cost <= 5,
  };
}

async function networkGrowth({ api }: Ground): Promise<Figure> {
  const ids: string[] = [];
  const times: number[] = [];
  for (let index = 0; index < manyNetworks; index++) {
    times.push(
      await timed(async () => {
        ids.push((await api.ask<{ Id: string }>("POST", "/networks/create", { Name: `bench-${index}` })).Id);
      }),
    );
  }
  for (const id of ids) await api.ask("DELETE", `/networks/${id}`);
  return growth(`creation of the last of ${manyNetworks} networks, against the first ones`, times, 1.5);
}

async function portGrowth({ api }: Ground): Promise<Figure> {
  const times: number[] = [];
  const ids: string[] = [];
  for (let index = 0; index < manyPorts; index++) {
    const request = {
      Image: "busybox:latest",
      Cmd: ["sleep", "100000"],
      HostConfig: { NetworkMode: "default", PortBindings: { "80/tcp": [{ HostPort: "0" }] } },
    };
    const { Id: id } = await api.ask<{ Id: string }>("POST", "/containers/create", request);
    ids.push(id);
    times.push(await timed(async () => await api.ask("POST", `/containers/${id}/start`)));
  }
  for (const id of ids) await api.ask("DELETE", `/containers/${id}?force=1`);
  return growth(
    `start of the last of ${manyPorts} containers with a published port, against the first ones`,
    times,
    1.5,
  );
}

function growth(what: string, times: readonly number[], limit: number): Figure {
  const [first, last] = [median(times.slice(5, 5 + sample)), median(times.slice(-sample))];
  const ratio = last / first;
  return {
    what,
    measured: `${ratio.toFixed(2)} × (median ${ms(last)} against ${ms(first)}; ${sample} each)`,
    target: `≤ ${limit} ×`,
    met: ratio <= limit,
  };
}
