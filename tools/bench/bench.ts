/**
 * `npm run bench [--rounds N] [NAME…]`: measures with public tools only (the Engine API by plain HTTP, crun, podman when installed)
 * and prints each figure beside its target. Exits non-zero on errors only: whether a target is met depends on the machine too.
 */
import { parseArgs } from "node:util";
import { build } from "./build.ts";
import { burst } from "./burst.ts";
import { crowd } from "./crowd.ts";
import { diskUsage } from "./disk-usage.ts";
import { exec } from "./exec.ts";
import type { Figure } from "./figures.ts";
import { type Ground, prepareGround } from "./ground.ts";
import { growth } from "./growth.ts";
import { logs } from "./logs.ts";
import { health } from "./health.ts";
import { monitors } from "./monitors.ts";
import { names } from "./names.ts";
import { networks } from "./networks.ts";
import { output } from "./output.ts";
import { stats } from "./stats.ts";
import { throughput } from "./throughput.ts";
import { volumes } from "./volumes.ts";
import { warmRun } from "./warm-run.ts";

const measurements: Readonly<Record<string, (ground: Ground, rounds: number) => Promise<Figure[]>>> = {
  run: warmRun,
  exec,
  monitors,
  crowd,
  burst,
  output,
  logs,
  stats,
  health,
  names,
  networks,
  throughput,
  df: diskUsage,
  volumes,
  build,
  growth,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "30" } },
});
const rounds = Math.max(20, Number(values.rounds));
const unknown = positionals.find((name) => measurements[name] === undefined);
if (unknown !== undefined) throw new Error(`no measurement ${unknown}: ${Object.keys(measurements).join(", ")}`);

await using ground = await prepareGround();
for (const [name, measure] of Object.entries(measurements)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  console.log(`\n${name}`);
  for (const { what, measured, target, met } of await measure(ground, rounds)) {
    const verdict = met === undefined ? " " : met ? "✓" : "✗";
    console.log(`  ${verdict} ${what}\n      ${measured}${target === undefined ? "" : `   target ${target}`}`);
  }
}
