import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { mustRun } from "../../test/fixtures/program.ts";
import type { Figure } from "./figures.ts";
import type { Ground } from "./ground.ts";
import { parentOf } from "./memory.ts";
import { processorMs, threadMs } from "./processor-time.ts";

const containers = 100;
const intervalSeconds = 10;
const measuredSeconds = 60;

/**
 * What the health checks of many containers cost: daemon, monitors, the runtime, and in the containers the runners of the
 * probes and the probes, of one core. Beside it, the same number of bare `crun exec` a second.
 */
export async function health(ground: Ground): Promise<Figure[]> {
  const { api, daemon } = ground;
  const ids: string[] = [];
  const monitors: number[] = [];
  const pids: number[] = [];
  const check = { Test: ["CMD", "true"], Interval: intervalSeconds * 1e9 };
  for (let index = 0; index < containers; index++) {
    const request = { Image: "busybox:latest", Cmd: ["sleep", "100000"], Healthcheck: check };
    const { Id } = await api.ask<{ Id: string }>("POST", "/containers/create", {
      ...request,
      HostConfig: { NetworkMode: "none" },
    });
    ids.push(Id);
    await api.ask("POST", `/containers/${Id}/start`);
    const pid = await api.pidOf(Id);
    pids.push(pid);
    monitors.push(await parentOf(pid));
  }
  await sleep(2 * intervalSeconds * 1000); // every container has been probed
  const before = await spent(daemon.pid, monitors, pids);
  const began = performance.now();
  await sleep(measuredSeconds * 1000);
  const elapsedMs = performance.now() - began;
  const after = await spent(daemon.pid, monitors, pids);
  const share = (key: keyof Spent): number => ((after[key] - before[key]) / elapsedMs) * 100;
  for (const id of ids) await api.ask("DELETE", `/containers/${id}?force=1`);
  const bare = ((await bareExecMs(ground)) * (containers / intervalSeconds)) / 10;
  const [ofDaemon, ofMonitors, ofRuntime, inside] = [
    share("daemon"),
    share("monitors"),
    share("runtime"),
    share("inside"),
  ];
  const all = ofDaemon + ofMonitors + ofRuntime + inside;
  const percent = (value: number): string => `${value.toFixed(2)} %`;
  return [
    {
      what: `health checks of ${containers} containers every ${intervalSeconds} s, of one core`,
      measured: `${percent(all)}: daemon ${percent(ofDaemon)}, monitors ${percent(ofMonitors)}, runtime ${percent(ofRuntime)}, probes ${percent(inside)}`,
      target: "≤ 5 %",
      met: all <= 5,
    },
    {
      what: "against as many bare crun exec",
      measured: `${(all / bare).toFixed(2)} × (bare ${percent(bare)})`,
    },
    { what: "without what the runtime and the probes cost", measured: percent(ofDaemon + ofMonitors) },
  ];
}

interface Spent {
  readonly daemon: number;
  readonly monitors: number;
  readonly runtime: number;
  /** The containers: the runners and the probes. What they run else only sleeps. */
  readonly inside: number;
}

async function spent(daemonPid: number, monitorPids: readonly number[], pids: readonly number[]): Promise<Spent> {
  const daemon = await processorMs(daemonPid);
  const sum = (all: readonly number[]): number => all.reduce((total, ms) => total + ms, 0);
  return {
    daemon: daemon.own + daemon.children,
    monitors: sum(await Promise.all(monitorPids.map(threadMs))),
    runtime: sum((await Promise.all(monitorPids.map(processorMs))).map(({ children }) => children)),
    inside: sum(await Promise.all(pids.map(groupMs))),
  };
}

/** Processor time of a whole container, to the nanosecond (cgroup v1) or microsecond: too little for ticks of ten milliseconds. */
async function groupMs(pid: number): Promise<number> {
  const groups = (await readFile(`/proc/${pid}/cgroup`, "utf8")).split("\n").map((line) => line.split(":"));
  const [, controllers = "", path = ""] = groups.find(([, names]) => names?.split(",").includes("cpuacct")) ?? [];
  if (controllers !== "")
    return Number(await readFile(`/sys/fs/cgroup/${controllers}${path}/cpuacct.usage`, "utf8")) / 1e6;
  const unified = groups.find(([number]) => number === "0")?.[2] ?? "/";
  const text = await readFile(`/sys/fs/cgroup${unified}/cpu.stat`, "utf8");
  return Number(/^usage_usec (\d+)/m.exec(text)?.[1]) / 1000;
}

/** Processor time of one bare `crun exec`, its program included, in milliseconds. */
async function bareExecMs(ground: Ground): Promise<number> {
  const { crunRoot } = ground;
  const bare = `bench-health-${process.pid}`;
  const bundle = await ground.makeBundle("health", ["/bin/sleep", "100000"]);
  await mustRun("sh", ["-c", `crun --root ${crunRoot} run -d -b ${bundle} ${bare} </dev/null >/dev/null 2>&1`]);
  try {
    const times = 100;
    const loop = `for i in $(seq ${times}); do crun --root ${crunRoot} exec ${bare} /bin/true; done; times`;
    const text = await mustRun("bash", ["-c", loop]);
    const [user = 0, system = 0] = [...(text.split("\n")[1] ?? "").matchAll(/(\d+)m([\d.]+)s/g)].map(
      ([, minutes, seconds]) => Number(minutes) * 60_000 + Number(seconds) * 1000,
    );
    return (user + system) / times;
  } finally {
    await mustRun("crun", ["--root", crunRoot, "delete", "--force", bare]);
  }
}
