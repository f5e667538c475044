import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mustRun, runProgram } from "../../test/fixtures/program.ts";
import { busyboxArchive } from "../../test/fixtures/images.ts";
import { type Figure, interleaved, median, ms, ratioFigure, timed } from "./figures.ts";
import type { Ground } from "./ground.ts";

const steps = 20;
const fileCount = 20_000;

/** Builds over the API against Buildah (when it is installed), bare crun and tar. */
export async function build(ground: Ground, rounds: number): Promise<Figure[]> {
  const home = join(ground.daemon.roots.dataRoot, "bench-build");
  return [
    ...(await rebuild(ground, join(home, "rebuild"), Math.min(rounds, 20))),
    await perStep(ground, join(home, "steps"), Math.min(rounds, 20)),
    await waiting(ground, join(home, "waiting")),
    await copying(ground, join(home, "copying"), Math.min(rounds, 7)),
  ];
}

/** Nothing has changed: half of the steps copy files of the context, half run something. */
async function rebuild({ api, stopwatch }: Ground, folder: string, rounds: number): Promise<Figure[]> {
  const lines = Array.from(
    { length: steps / 2 },
    (_, index) => `COPY src${index} /src${index}\nRUN cat /src${index}/*\n`,
  );
  await writeContext(folder, `FROM busybox\n${lines.join("")}`);
  for (let index = 0; index < steps / 2; index++) {
    await mkdir(join(folder, `src${index}`));
    for (const name of ["a", "b", "c"]) await writeFile(join(folder, `src${index}`, name), `${index} ${name}\n`);
  }
  await api.build(folder);
  const outcomes = await api.build(folder);
  if (outcomes.filter((outcome) => outcome === "cached").length < steps) throw new Error("it was built again");
  const ours = async (): Promise<number> => await timed(async () => await api.build(folder));
  const times = await interleaved(rounds, { ours });
  const figure = {
    what: `rebuild of a ${steps}-step file in which nothing changed`,
    measured: `median ${ms(median(times.ours))}`,
    target: "≤ 100 ms",
    met: median(times.ours) <= 100,
  };
  await using buildah = await prepareBuildah(folder);
  if (buildah.command === undefined)
    return [
      figure,
      { what: "against buildah build --layers", measured: "buildah is not installed or does not run here" },
    ];
  const { command } = buildah;
  const both = await interleaved(Math.min(rounds, 5), { ours, theirs: async () => await stopwatch.time(command) });
  return [figure, ratioFigure("the same, against buildah build --layers", both.ours, both.theirs, 0.1)];
}

/** What one RUN costs, from the API's request on. */
async function perStep({ api, stopwatch, bundle, crunRoot }: Ground, folder: string, rounds: number): Promise<Figure> {
  const count = 10;
  const lines = Array.from({ length: count }, (_, index) => `RUN echo ${index} >/made-${index}\n`);
  await writeContext(folder, `FROM busybox\n${lines.join("")}`);
  let serial = 0;
  const times = await interleaved(rounds, {
    ours: async () => (await timed(async () => await api.build(folder, { nocache: "1" }))) / count,
    crun: async () => await stopwatch.time(`crun --root ${crunRoot} run -b ${bundle} build-${process.pid}-${serial++}`),
  });
  return ratioFigure("one RUN that writes a file, against bare crun run", times.ours, times.crun, 2.5);
}

async function waiting({ api }: Ground, folder: string): Promise<Figure> {
  const names = Array.from({ length: 10 }, (_, index) => `s${index}`);
  const stages = names.map((name) => `FROM busybox AS ${name}\nRUN sleep 1; echo >/${name}\n`);
  const copies = names.map((name) => `COPY --from=${name} /${name} /\n`);
  await writeContext(folder, `${stages.join("")}FROM scratch\n${copies.join("")}`);
  const took = await timed(async () => await api.build(folder, { nocache: "1" }));
  return {
    what: "ten independent RUN sleep 1",
    measured: ms(took),
    target: "≤ 2000 ms",
    met: took <= 2000,
  };
}

async function copying({ api, stopwatch }: Ground, folder: string, rounds: number): Promise<Figure> {
  await writeContext(folder, "FROM scratch\nCOPY files /files\n");
  for (let index = 0; index < fileCount; index++) {
    const place = join(folder, "files", `d${index % 200}`);
    if (index < 200) await mkdir(place, { recursive: true });
    await writeFile(join(place, `f${index}`), "x".repeat(index % 4096));
  }
  let next = 0;
  const times = await interleaved(rounds, {
    ours: async () => await timed(async () => await api.build(folder, { nocache: "1" })),
    tar: async () => {
      const copy = join(folder, `../copy-${next++}`);
      return await stopwatch.time(`mkdir ${copy} && tar -C ${folder} -c files | tar -C ${copy} -x`);
    },
  });
  return ratioFigure(
    `COPY of ${fileCount} files, against tar | tar`,
    times.ours,
    times.tar,
    Math.round(100 / 0.7) / 100,
  );
}

async function writeContext(folder: string, dockerfile: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "Dockerfile"), dockerfile);
}

/** Buildah with a store of its own and the same base; without a command when it is not there or cannot build here. */
async function prepareBuildah(folder: string): Promise<AsyncDisposable & { readonly command?: string }> {
  const store = `${folder}-buildah`;
  const buildah = ["buildah", "--root", join(store, "root"), "--runroot", join(store, "run")];
  const dispose = async (): Promise<void> => {
    await runProgram("rm", ["-rf", store]).catch(() => undefined);
  };
  try {
    await mkdir(store, { recursive: true });
    const [program = "", ...options] = buildah;
    await mustRun(program, [...options, "pull", `docker-archive:${await busyboxArchive()}`]);
    const args = [...options, "build", "--layers", "--network=none", "--isolation=chroot", "-q", folder];
    await mustRun(program, args);
    return { command: [program, ...args].join(" "), [Symbol.asyncDispose]: dispose };
  } catch {
    return { [Symbol.asyncDispose]: dispose };
  }
}
