import { mustRun } from "../../test/fixtures/program.ts";
import { type Figure, interleaved, ratioFigure, timed } from "./figures.ts";
import type { Ground } from "./ground.ts";

/** `exec true` over the API (create, start with its streams to their end, exit code), against a bare `crun exec`. */
export async function exec(ground: Ground, rounds: number): Promise<Figure[]> {
  const { api, stopwatch, crunRoot } = ground;
  const id = await api.create(["sleep", "100000"]);
  await api.ask("POST", `/containers/${id}/start`);
  const bare = `bench-exec-${process.pid}`;
  const bundle = await ground.makeBundle("sleep", ["/bin/sleep", "100000"]);
  await stopwatch.time(`crun --root ${crunRoot} run -d -b ${bundle} ${bare} </dev/null 2>/dev/null`);
  try {
    const times = await interleaved(rounds, {
      ours: async () => await timed(async () => await execOnce(ground, id)),
      crun: async () => await stopwatch.time(`crun --root ${crunRoot} exec ${bare} /bin/true`),
    });
    return [ratioFigure("exec true over the API, against bare crun exec", times.ours, times.crun, 2)];
  } finally {
    await mustRun("crun", ["--root", crunRoot, "delete", "--force", bare]);
    await api.ask("DELETE", `/containers/${id}?force=1`);
  }
}

async function execOnce({ api }: Ground, id: string): Promise<void> {
  const { Id } = await api.ask<{ Id: string }>("POST", `/containers/${id}/exec`, {
    Cmd: ["true"],
    AttachStdout: true,
    AttachStderr: true,
  });
  await api.ask("POST", `/exec/${Id}/start`, { Detach: false, Tty: false });
  const { ExitCode } = await api.ask<{ ExitCode: number }>("GET", `/exec/${Id}/json`);
  if (ExitCode !== 0) throw new Error(`exec true ended with ${ExitCode}`);
}
