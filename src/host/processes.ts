import { Fault } from "#core/fault";
import type { Shim } from "./host.ts";
import { findProgram } from "./runtimes.ts";

/** What ps(1) shows, a row for each process. */
export interface ProcessTable {
  readonly titles: string[];
  readonly processes: string[][];
}

/** An argument may have 128 KiB; of more pids than these, ps lists every process of the machine. */
const maxPidsInArgument = 10_000;

/** Runs ps(1) for those pids alone; some options (such as `f` and `aux`) cannot be had together with that, so ps lists all then. */
export async function listProcesses(
  shim: Pick<Shim, "runToEnd">,
  args: readonly string[],
  pids: readonly number[],
): Promise<ProcessTable> {
  const program = findProgram("ps");
  if (program === undefined)
    throw new Fault("unsupported", "there is no ps program on this machine", { remedy: "Install procps." });
  const run = async (more: readonly string[]): ReturnType<Shim["runToEnd"]> =>
    await shim.runToEnd({ argv: [program, ...args, ...more], timeLimitMs: 10_000 });
  const narrowed = pids.length <= maxPidsInArgument ? await run([`-q${pids.join(",")}`]) : undefined;
  const end = narrowed?.code === 0 ? narrowed : await run([]);
  if (end.code !== 0) {
    const [line = ""] = end.stderr.trim().split("\n");
    throw new Fault("invalid", line === "" ? `error running ps: exit status ${end.code ?? "none"}` : line);
  }
  return parsePs(Buffer.from(end.stdout).toString("utf8"), new Set(pids));
}

/**
 * The table of ps(1), restricted to the pids; the titles row names the column that holds the pid. A thread's row (`m`),
 * which has a dash there, goes with the process above it.
 */
export function parsePs(output: string, pids: ReadonlySet<number>): ProcessTable {
  const [header = "", ...lines] = output.split("\n").filter((line) => line.trim() !== "");
  const titles = words(header);
  const pidColumn = titles.indexOf("PID");
  if (pidColumn < 0) throw new Fault("invalid", "Couldn't find PID field in ps output");
  const processes: string[][] = [];
  let isOurs = false;
  for (const line of lines) {
    const row = splitColumns(line, titles.length);
    const pid = row[pidColumn] ?? "";
    if (pid !== "-" && !/^\d+$/.test(pid)) throw new Fault("invalid", `Unexpected pid '${pid}' in ps output`);
    if (pid !== "-") isOurs = pids.has(Number(pid));
    if (isOurs) processes.push(row);
  }
  return { titles, processes };
}

/** The last column (the command) keeps its spaces. */
function splitColumns(line: string, count: number): string[] {
  const found = words(line);
  return [...found.slice(0, count - 1), found.slice(count - 1).join(" ")];
}

/** At ASCII's blanks only: a process may have others in its name. */
function words(line: string): string[] {
  return line.split(/[ \t\r\f\v]+/).filter((word) => word !== "");
}
