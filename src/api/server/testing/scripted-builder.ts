import type { Builder, BuildEvent, BuildRecord, BuildRequest, CachePrune, CacheRecord, Step } from "#build";
import { digestOf } from "#core/digest";

/** A builder that plays what a test wrote. */
export interface ScriptedBuilder extends Builder {
  /** What was asked of it, in order. */
  readonly builds: BuildRequest[];
  readonly prunes: CachePrune[];
  readonly cancelled: string[];
  readonly forgotten: (readonly string[] | "all")[];
  /** How many builds were left or ended. */
  readonly ended: number;
}

/** What a build of the test does. */
export type BuildScript = (request: BuildRequest, signal: AbortSignal) => AsyncIterable<BuildEvent>;

export function scriptedBuilder(
  script: BuildScript,
  kept: { readonly records?: readonly BuildRecord[]; readonly cache?: readonly CacheRecord[] } = {},
): ScriptedBuilder {
  const seen = { builds: [] as BuildRequest[], prunes: [] as CachePrune[], cancelled: [] as string[], ended: 0 };
  const forgotten: (readonly string[] | "all")[] = [];
  const mounts = new Map<string, Buffer>();
  return {
    builds: seen.builds,
    prunes: seen.prunes,
    cancelled: seen.cancelled,
    forgotten,
    get ended() {
      return seen.ended;
    },
    async *build(request, signal) {
      seen.builds.push(request);
      try {
        yield* script(request, signal);
      } finally {
        seen.ended++;
      }
    },
    cancel: (id) => {
      seen.cancelled.push(id);
      return true;
    },
    history: () => kept.records ?? [],
    forgetHistory: (ids) => {
      forgotten.push(ids);
      return 1;
    },
    usage: async () => kept.cache ?? [],
    prune: async (request) => {
      seen.prunes.push(request);
      return { removed: ["abc"], reclaimedBytes: 42 };
    },
    async *exportCacheMount(id) {
      yield mounts.get(id) ?? Buffer.alloc(0);
    },
    importCacheMount: async (id, archive) => {
      mounts.set(id, await allOf(archive));
    },
    close: async () => undefined,
  };
}

/** Steps of a plan, numbered from 1; each needs the one before it. */
export function stepsOf(instructions: readonly string[]): Step[] {
  return instructions.map((instruction, index) => ({
    id: digestOf(`${index} ${instruction}`),
    name: `[${index + 1}/${instructions.length}] ${instruction}`,
    number: index + 1,
    instruction,
    inputs: [],
  }));
}

export async function allOf(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

export const builtImage = digestOf("the built image");

/** Events of one build of those steps. */
export function eventsOf(steps: readonly Step[]) {
  const at = (number: number): Step => {
    const step = steps[number - 1];
    if (step === undefined) throw new Error(`no step ${number}`);
    return step;
  };
  let timeNs = 1_700_000_000_000_000_000n;
  return {
    plan: { kind: "plan", steps } as const,
    started: (number: number) => ({ kind: "started", step: at(number).id, timeNs: timeNs++ }) as const,
    ended: (number: number, outcome: "done" | "cached" | "failed" = "done") =>
      ({
        kind: "ended",
        step: at(number).id,
        timeNs: timeNs++,
        outcome,
        result: digestOf(`result ${number}`),
      }) as const,
    output: (number: number, text: string | Uint8Array, stream: "stdout" | "stderr" = "stdout") =>
      ({ kind: "output", step: at(number).id, stream, bytes: Buffer.from(text as string), timeNs: timeNs++ }) as const,
    result: (tags: readonly string[] = []) =>
      ({ kind: "result", result: { buildId: "b", imageId: builtImage, tags, metadata: {} } }) as const,
  };
}
