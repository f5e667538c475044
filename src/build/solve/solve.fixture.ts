import { parseDockerfile } from "#core/dockerfile/parse";
import { systemClock } from "#core/clock";
import { type Digest, digestOf } from "#core/digest";
import { mediaType } from "#core/oci";
import { Places } from "#core/places";
import type { Images, Lease, StackLayer } from "#images";
import { openDatabase } from "../../host/database.ts";
import type { BuildEvent } from "../build.ts";
import { Ingredients } from "../cache/ingredients.ts";
import { migrations } from "../cache/migrations.ts";
import { StepResults } from "../cache/results.ts";
import { Slots } from "../cache/slots.ts";
import { EventQueue } from "../events.ts";
import type { Graph, Node } from "../graph/graph.ts";
import { plainPlan } from "../graph/plan.fixture.ts";
import { plan, type PlanRequest } from "../graph/plan.ts";
import { SharedSteps, type StepWatcher } from "./shared-steps.ts";
import { Solve, type SolveParts, type WorkNode } from "./solve.ts";
import type { Files, Layered } from "./work.ts";

/** For tests: what all builds share, over layers that are only names. */
export function solveParts(): SolveParts & { readonly lost: Set<Digest> } {
  const database = openDatabase(":memory:");
  database.migrate("build", migrations);
  const lost = new Set<Digest>();
  const lease: Lease = {
    protect: () => undefined,
    protectLayer: () => undefined,
    [Symbol.asyncDispose]: async () => await Promise.resolve(),
  };
  const layers: Partial<Images["layers"]> = {
    lease: () => lease,
    hold: () => undefined,
    letGo: async () => await Promise.resolve(0),
    has: (stack) => !lost.has(stack),
    sizeBytesOf: () => 10,
    put: async (below, layer) => await Promise.resolve(stacked(below, layer)),
  };
  const images = { layers } as Images;
  return {
    images,
    results: new StepResults(database, images.layers, systemClock),
    slots: new Slots(database, systemClock),
    shared: new SharedSteps(),
    places: new Places(16),
    clock: systemClock,
    lost,
  };
}

function stacked(below: Digest | undefined, { diffId }: StackLayer): Digest {
  return below === undefined ? diffId : digestOf(`${below} ${diffId}`);
}

/** The graph of a file whose stages begin from scratch. */
export function graphOf(text: string, given: Partial<PlanRequest> = {}): Graph {
  const planned = plan(parseDockerfile(text).dockerfile, { ...plainPlan, ...given }, () => undefined);
  if ("graph" in planned) return planned.graph;
  throw new Error(`wants ${planned.wanted.map(({ reference }) => reference).join(", ")}`);
}

/** What a RUN does in a test, and what it answers for a key that the arguments alone decide. */
export type Runs = (command: string, watcher: StepWatcher, signal: AbortSignal) => Promise<void>;

export interface TestSolve {
  readonly told: BuildEvent[];
  readonly done: Promise<Files>;
  readonly outcomes: () => Record<string, string>;
  readonly reasons: () => Record<string, string>;
}

/** Solves a graph whose RUNs are done by `runs`; as the room does, the first failure ends the others. */
export function solve(
  parts: SolveParts,
  graph: Graph,
  runs: Runs,
  { signal = new AbortController().signal, buildId = "b" }: { signal?: AbortSignal; buildId?: string } = {},
): TestSolve {
  const told: BuildEvent[] = [];
  const events = new EventQueue();
  const abort = new AbortController();
  signal.addEventListener("abort", () => abort.abort(signal.reason), { once: true });
  const prepare = async (node: WorkNode, below: Digest | undefined, files: (node: Node) => Promise<Files>) => {
    const command = node.kind === "run" ? (node.args.at(-1) ?? "") : node.kind;
    const others =
      node.kind === "copy"
        ? node.sources.flatMap((each) => (each.kind === "paths" && each.from.kind === "node" ? [each.from.node] : []))
        : [];
    const inputs = await Promise.all(others.map(async (other) => (await files(other)).stack ?? ""));
    const ingredients = new Ingredients([
      ["what it stands on", node.kind === "copy" && node.link ? "" : (below ?? "")],
      ["its command", command],
      ["its sources", inputs.join(" ")],
    ]);
    return {
      ingredients: async () => await Promise.resolve(ingredients),
      detached: node.kind === "copy" && node.link,
      run: async (watcher: StepWatcher, _lease: Lease, signal: AbortSignal): Promise<Layered | undefined> => {
        if (node.kind === "run") await runs(command, watcher, signal);
        if (command === "nothing") return undefined;
        const diffId = digestOf(`${command} ${inputs.join(" ")}`);
        const layer = { diffId, blob: { mediaType: mediaType.ociLayer, digest: diffId, size: 1 } };
        return { layer, stack: stacked(node.kind === "copy" && node.link ? undefined : below, layer) };
      },
    };
  };
  const solving = new Solve(
    parts,
    { buildId, graph, lease: parts.images.layers.lease(), events, explain: true, imported: new Map(), prepare },
    abort.signal,
  );
  const reading = (async () => {
    for await (const event of events.read()) told.push(event);
  })();
  const done = (async () => {
    try {
      return await solving.files(graph.result.files);
    } catch (error) {
      abort.abort(error);
      throw error;
    } finally {
      await solving.idle();
      events.end();
      await reading;
    }
  })();
  const byInstruction = (
    pick: (event: BuildEvent & { kind: "ended" }) => string | undefined,
  ): Record<string, string> => {
    const names = new Map(graph.steps.map(({ id, instruction }) => [id, instruction]));
    return Object.fromEntries(
      told.flatMap((event) => (event.kind === "ended" ? [[names.get(event.step) ?? "", pick(event) ?? ""]] : [])),
    );
  };
  return {
    told,
    done,
    outcomes: () => byInstruction(({ outcome }) => outcome),
    reasons: () => byInstruction(({ reason }) => reason),
  };
}
