import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "#api/client";
import { shortId } from "#core/ids";
import { defineCommand } from "../command.ts";
import { wordsOf } from "../each.ts";
import { text, toggle } from "../flags/flag.ts";
import { renderRows, type RowCells, type RowFormat } from "../output/rows.ts";
import { binarySize, humanSize } from "../output/size.ts";
import { untilInterrupted } from "../signals.ts";
import { type BoardRow, readOnce, StatsBoard } from "../stats/board.ts";
import type { Figures } from "../stats/figures.ts";
import { type Surroundings, write } from "../surroundings.ts";
import { terminalSize } from "../terminal.ts";

/** `slipway stats`. */
export const stats = defineCommand({
  usage: "[OPTIONS] [CONTAINER...]",
  summary: "Show what containers use, live",
  description:
    "Without names: all that run, as they come and go. 100% is one processor; memory is without the files that\nthe kernel would give back first.",
  examples: [
    ["slipway stats", "A table of all running containers, until ctrl-c"],
    ["slipway stats --no-stream --format '{{.Name}}: {{.MemUsage}}'", "One reading, in a format of your own"],
  ],
  flags: {
    all: toggle("Show all containers, not only the running ones", { short: "a" }),
    format: text("table, table TEMPLATE, json, or a Go template for each row"),
    "no-stream": toggle("Show one reading and end"),
    "no-trunc": toggle("Cut nothing short"),
  },
  args: [0, Infinity],
  completes: "running",
  run: async ({ args, around, values }) => {
    const client = await around.client();
    const format = values.format || (await around.userConfig()).statsFormat;
    const show = (rows: readonly BoardRow[]): string =>
      renderRows(
        statsFormat,
        rows.map((row) => cellsOf(row, values["no-trunc"])),
        { format },
      );
    if (values["no-stream"]) {
      const containers = args.length > 0 ? args.map(named) : await listed(client, values.all);
      return await finish(around, await readOnce(client, containers, args.length > 0), show);
    }
    return await live(around, client, { names: args, all: values.all }, show);
  },
});

interface Watch {
  readonly names: readonly string[];
  readonly all: boolean;
}

type Show = (rows: readonly BoardRow[]) => string;

/** Draws again and again until ctrl-c, or until the named containers are gone. */
async function live(around: Surroundings, client: Client, watch: Watch, show: Show): Promise<number> {
  using interrupted = untilInterrupted();
  const engineGone = new AbortController();
  const signal = AbortSignal.any([interrupted.signal, engineGone.signal]);
  const board = new StatsBoard(client, signal);
  const isNamed = watch.names.length > 0;
  // The events first: what starts while the list is on its way is in one of the two.
  if (!isNamed) await followEvents(client, board, { all: watch.all, engineGone, signal });
  const containers = isNamed ? watch.names.map(named) : await listed(client, watch.all);
  await Promise.all(containers.map(async ({ id, label }) => await board.add(id, label)));
  if (isNamed && board.rows.some(({ failure }) => failure !== undefined)) return await finish(around, board.rows, show);
  const screen = new Screen(around);
  const goesOn = (): boolean => !signal.aborted && (!isNamed || board.rows.length > 0);
  while (goesOn()) {
    await screen.draw(show(board.rows));
    await screen.pause(signal);
  }
  if (interrupted.signal.aborted) return 130;
  engineGone.signal.throwIfAborted();
  return 0;
}

/** Takes up what starts and lets go of what ends, once the engine has answered; aborts `engineGone` when it goes away. */
async function followEvents(
  client: Client,
  board: StatsBoard,
  how: { readonly all: boolean; readonly engineGone: AbortController; readonly signal: AbortSignal },
): Promise<void> {
  const { all, engineGone, signal } = how;
  const messages = await client.system.events({ filters: { type: ["container"] } }, signal);
  const follow = async (): Promise<never> => {
    for await (const { Action, Actor } of messages) {
      if (Action === "start" || (all && Action === "create")) void board.add(Actor.ID, shortId(Actor.ID));
      if (Action === "destroy" || (!all && Action === "die")) board.remove(Actor.ID);
    }
    throw new Error("the engine ended the stream of events");
  };
  follow().catch((error: unknown) => engineGone.abort(error));
}

function named(name: string): { readonly id: string; readonly label: string } {
  return { id: name, label: name };
}

async function listed(client: Client, all: boolean): Promise<{ readonly id: string; readonly label: string }[]> {
  const containers = await client.containers.list({ all });
  return containers.map(({ Id }) => ({ id: Id, label: shortId(Id) }));
}

/** A table of what could be read; or, as soon as one name was wrong, the failures alone. */
async function finish(around: Surroundings, rows: readonly BoardRow[], show: Show): Promise<number> {
  const failures = rows.flatMap(({ failure }) => (failure === undefined ? [] : [`${wordsOf(failure)}\n`]));
  if (failures.length === 0) await write(around.stdout, show(rows));
  else await write(around.stderr, failures.join(""));
  return failures.length === 0 ? 0 : 1;
}

/** On a terminal each table takes the place of the one before; elsewhere they follow one another. */
class Screen {
  readonly #around: Surroundings;
  #isFirst = true;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  async draw(table: string): Promise<void> {
    const size = terminalSize(this.#around);
    if (size === undefined) return await write(this.#around.stdout, table);
    // What does not fit would scroll, and the next table would start in the wrong place.
    const lines = table
      .split("\n")
      .slice(0, -1)
      .slice(0, size.rows - 1);
    const begin = this.#isFirst ? "\x1b[2J\x1b[H" : "\x1b[H";
    this.#isFirst = false;
    await write(this.#around.stdout, `${begin}${lines.map((line) => `${line}\x1b[K\n`).join("")}\x1b[J`);
  }

  async pause(signal: AbortSignal): Promise<void> {
    await sleep(terminalSize(this.#around) === undefined ? 1000 : 500, undefined, { signal }).catch(() => undefined);
  }
}

const statsFormat: RowFormat = {
  goType: "*container.statsContext",
  headers: {
    Container: "CONTAINER",
    Name: "NAME",
    ID: "CONTAINER ID",
    CPUPerc: "CPU %",
    MemUsage: "MEM USAGE / LIMIT",
    MemPerc: "MEM %",
    NetIO: "NET I/O",
    BlockIO: "BLOCK I/O",
    PIDs: "PIDS",
  },
  table: "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
};

const unknown = "--";

function cellsOf({ figures, label }: BoardRow, whole: boolean): RowCells {
  const cell =
    (text: (known: Figures) => string): (() => string) =>
    () =>
      figures === undefined ? unknown : text(figures);
  const both = (left: string, right: string): string => `${left} / ${right}`;
  return {
    fields: {
      Container: () => label,
      Name: cell(({ name }) => name || unknown),
      ID: cell(({ id }) => (whole ? id : shortId(id))),
      CPUPerc: cell(({ cpuPercent }) => (cpuPercent === undefined ? unknown : `${cpuPercent.toFixed(2)}%`)),
      MemUsage: () =>
        figures === undefined
          ? both(unknown, unknown)
          : both(binarySize(figures.memory), binarySize(figures.memoryLimit)),
      MemPerc: cell(({ memoryPercent }) => `${memoryPercent.toFixed(2)}%`),
      NetIO: cell(({ received, sent }) => both(humanSize(received, 3), humanSize(sent, 3))),
      BlockIO: cell(({ read, written }) => both(humanSize(read, 3), humanSize(written, 3))),
      PIDs: cell(({ pids }) => String(pids)),
    },
  };
}
