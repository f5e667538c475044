import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mustRun } from "../../test/fixtures/program.ts";
import { type Figure, interleaved, ratioFigure, timed } from "./figures.ts";
import type { Ground } from "./ground.ts";

const fileCount = 10_000;
const megabytes = 256;

/** Filling a volume from an image against `cp -a` of the same files, both to the disk, and reading and writing in binds and volumes against the host's own. */
export async function volumes(ground: Ground, rounds: number): Promise<Figure[]> {
  return [await copyUp(ground, Math.min(rounds, 20)), ...(await throughput(ground, Math.min(rounds, 20)))];
}

async function copyUp({ api, daemon }: Ground, rounds: number): Promise<Figure> {
  const home = join(daemon.roots.dataRoot, "bench-volumes");
  const files = join(home, "root/data");
  await mkdir(files, { recursive: true });
  for (let index = 0; index < fileCount; index++) {
    const folder = join(files, `d${index % 100}`);
    if (index < 100) await mkdir(folder);
    await writeFile(join(folder, `f${index}`), "x".repeat(index % 4096));
  }
  await mustRun("tar", ["-C", join(home, "root"), "-cf", join(home, "image.tar"), "."]);
  const { code, stderr } = await daemon.docker("import", join(home, "image.tar"), "many");
  if (code !== 0) throw new Error(stderr);
  const made: string[] = [];
  const create = async (binds: readonly string[]): Promise<void> => {
    const body = { Image: "many", Cmd: ["x"], HostConfig: { Binds: binds } };
    made.push((await api.ask<{ Id: string }>("POST", "/containers/create", body)).Id);
  };
  let next = 0;
  const times = await interleaved(rounds, {
    volume: async () => await timed(async () => await create([`bench${next++}:/data`])),
    cp: async () =>
      await timed(
        async () => await mustRun("sh", ["-c", 'cp -a "$0" "$1" && sync -f "$1"', files, join(home, `copy${next++}`)]),
      ),
  });
  for (const id of made) await api.ask("DELETE", `/containers/${id}?v=1`);
  await api.ask("POST", `/volumes/prune?filters=${encodeURIComponent('{"all":["true"]}')}`);
  await rm(home, { recursive: true, force: true });
  const limit = Math.round(100 / 0.9) / 100;
  return ratioFigure(
    `create with a volume that is filled with ${fileCount} files, against cp -a of them with sync -f`,
    times.volume,
    times.cp,
    limit,
  );
}

async function throughput({ api, daemon }: Ground, rounds: number): Promise<Figure[]> {
  const host = join(daemon.roots.dataRoot, "bench-bind");
  await mkdir(host);
  const { Id: id } = await api.ask<{ Id: string }>("POST", "/containers/create", {
    Image: "busybox:latest",
    Cmd: ["sleep", "100000"],
    HostConfig: { NetworkMode: "none", Binds: ["bench-io:/volume", `${host}:/bind`] },
  });
  await api.ask("POST", `/containers/${id}/start`);
  const inside = async (script: string): Promise<number> => {
    const { stdout, stderr, code } = await daemon.docker("exec", id, "sh", "-c", script);
    if (code !== 0) throw new Error(stderr);
    return millisecondsOf(stdout + stderr);
  };
  const outside = async (script: string): Promise<number> =>
    millisecondsOf(await mustRun("busybox", ["sh", "-c", script]));
  // The kernel's clock, in hundredths of a second: busybox has no finer one.
  const now = "$(cut -d' ' -f1 /proc/uptime | tr -d .)";
  const clocked = (work: string): string => `t=${now}; ${work}; echo took $((${now} - t)) hundredths`;
  const write = (path: string): string =>
    clocked(`dd if=/dev/zero of=${path}/f bs=1M count=${megabytes} conv=fsync 2>/dev/null`);
  const many = (path: string): string =>
    clocked(`mkdir ${path}/m; for i in $(seq 5000); do echo $i >${path}/m/$i; done; rm -r ${path}/m`);
  const figures: Figure[] = [];
  for (const [what, script] of Object.entries({
    "256 MB written and synced": write,
    "5,000 files made and removed": many,
  })) {
    const times = await interleaved(rounds, {
      volume: async () => await inside(script("/volume")),
      bind: async () => await inside(script("/bind")),
      host: async () => await outside(script(host)),
    });
    figures.push(ratioFigure(`${what} in a volume, against the host's own`, times.volume, times.host, 1.05));
    figures.push(ratioFigure(`${what} in a bind, against the host's own`, times.bind, times.host, 1.05));
  }
  await api.ask("DELETE", `/containers/${id}?force=1&v=1`);
  await rm(host, { recursive: true, force: true });
  return figures;
}

/** By the script's own clock: starting it is not what is measured. */
function millisecondsOf(output: string): number {
  const took = /took ([0-9]+) hundredths/.exec(output)?.[1];
  if (took === undefined) throw new Error(`no time in ${output}`);
  return Number(took) * 10;
}
