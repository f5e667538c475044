import type { Digest } from "#core/digest";
import { linkedAbort } from "#core/linked-abort";
import type { Lease } from "#images";
import type { BuildRequest } from "./build.ts";
import type { ImportedResult } from "./cache/imported.ts";
import type { EventQueue } from "./events.ts";
import type { Trees } from "./files/trees.ts";
import type { Graph } from "./graph/graph.ts";
import type { Room } from "./room.ts";
import type { StepParts, StepSettings } from "./solve/parts.ts";
import { prepare } from "./solve/prepare.ts";
import { Solve } from "./solve/solve.ts";

/** The graphs of one build, one for each platform, and what they are solved with. */
export interface Solving {
  readonly buildId: string;
  readonly request: BuildRequest;
  readonly settings: StepSettings;
  readonly trees: Trees;
  readonly lease: Lease;
  readonly events: EventQueue;
  readonly graphs: readonly Graph[];
  readonly imported: ReadonlyMap<Digest, ImportedResult>;
}

/** A graph whose result is there. */
export interface Solved {
  readonly graph: Graph;
  readonly solve: Solve;
}

/** Solves all graphs together; the first failure ends the others, and nothing runs any more when this throws. */
export async function solveGraphs(room: Room, solving: Solving, signal: AbortSignal): Promise<Solved[]> {
  const { buildId, request, settings, trees, lease, events, graphs, imported } = solving;
  using abort = linkedAbort(signal);
  const parts: StepParts = {
    ...room,
    settings,
    tree: async (from, files) => await trees.of(from, files),
    remote: async (source) => await trees.remote(source),
  };
  const solves = graphs.map((graph): Solved => {
    const solve = new Solve(
      room,
      {
        buildId,
        graph,
        lease,
        events,
        imported,
        explain: request.explain,
        prepare: async (node, below, files) => await prepare(parts, node, below, files, abort.signal),
      },
      abort.signal,
    );
    return { graph, solve };
  });
  try {
    await Promise.all(solves.map(async ({ graph, solve }) => await solve.files(graph.result.files)));
  } catch (error) {
    abort.abort(error);
    throw error;
  } finally {
    await Promise.all(solves.map(async ({ solve }) => await solve.idle()));
  }
  return solves;
}
