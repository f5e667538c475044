import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { busyboxArchive } from "../../test/fixtures/images.ts";
import { mustRun, runProgram } from "../../test/fixtures/program.ts";
import { type Figure, interleaved, ratioFigure, timed } from "./figures.ts";
import type { Ground } from "./ground.ts";

const warmUpRuns = 150;

/** Create, start, wait and remove of `true` over the API, against a bare `crun run` of the same root file system, and Podman. */
export async function warmRun(ground: Ground, rounds: number): Promise<Figure[]> {
  const { api, stopwatch, bundle, crunRoot } = ground;
  await using podman = await preparePodman();
  let serial = 0;
  const bridge = async () => await timed(async () => await api.runOnce(["true"]));
  const none = async () => await timed(async () => await api.runOnce(["true"], "none"));
  const crun = async () =>
    await stopwatch.time(`crun --root ${crunRoot} run -b ${bundle} bench-${process.pid}-${serial++}`);
  // Each against crun by itself: what one does behind its answers must not be counted to the other.
  // A daemon lives long: it is measured when its code is compiled, as it is for all runs but the first.
  for (let run = 0; run < warmUpRuns; run++) await bridge();
  const withBridge = await interleaved(rounds, { ours: bridge, crun });
  const withNone = await interleaved(rounds, { ours: none, crun });
  const figures = [
    ratioFigure("run true, default bridge, over the API, against bare crun run", withBridge.ours, withBridge.crun, 2.5),
    ratioFigure("run true, network none, over the API, against bare crun run", withNone.ours, withNone.crun, 1.8),
  ];
  const command = podman.command;
  if (command === undefined) {
    return [...figures, { what: "against podman run --rm", measured: "podman is not installed or does not run here" }];
  }
  const withPodman = await interleaved(20, { ours: bridge, theirs: async () => await stopwatch.time(command) });
  return [
    ...figures,
    ratioFigure(
      "run true, default bridge, over the API, against podman run --rm",
      withPodman.ours,
      withPodman.theirs,
      0.2,
    ),
  ];
}

/**
 * Podman with a store and a network namespace of its own (it leaves a bridge and firewall chains) and the same image; without a
 * command when it is not there or cannot run here. The limits are given because its defaults need CAP_SYS_RESOURCE.
 */
async function preparePodman(): Promise<AsyncDisposable & { readonly command?: string }> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-bench-podman-"));
  const namespace = basename(folder);
  const podman = [
    `--net=/run/netns/${namespace}`,
    "podman",
    "--root",
    join(folder, "root"),
    "--runroot",
    join(folder, "run"),
  ];
  const dispose = async (): Promise<void> => {
    await runProgram("nsenter", [...podman, "system", "reset", "--force"]);
    await mustRun("ip", ["netns", "delete", namespace]);
    await mustRun("rm", ["-rf", folder]);
  };
  await mustRun("ip", ["netns", "add", namespace]);
  await mustRun("ip", ["-n", namespace, "link", "set", "lo", "up"]);
  const loaded = await runProgram("nsenter", [...podman, "load", "-q", "-i", await busyboxArchive()]);
  const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
  const run = [...podman, "run", "--rm", ...limits, "busybox:latest", "true"];
  const works = loaded.code === 0 && (await runProgram("nsenter", run)).code === 0;
  return { ...(works && { command: `nsenter ${run.join(" ")}` }), [Symbol.asyncDispose]: dispose };
}
