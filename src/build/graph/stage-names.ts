import type { Dockerfile, Stage } from "#core/dockerfile/dockerfile";
import { Fault } from "#core/fault";

/** A stage by its name (any case) or its number. */
export function findStage(dockerfile: Dockerfile, name: string): Stage | undefined {
  const wanted = name.toLowerCase();
  const named = dockerfile.stages.findLast((stage) => stage.name === wanted);
  return named ?? (/^\d{1,9}$/.test(name) ? dockerfile.stages[Number(name)] : undefined);
}

/** The stage that is to be built: the last one unless one is named. Fault `invalid` in BuildKit's words. */
export function targetStage(dockerfile: Dockerfile, target: string | undefined): Stage {
  const stage = target === undefined || target === "" ? dockerfile.stages.at(-1) : findStage(dockerfile, target);
  if (stage !== undefined) return stage;
  const names = dockerfile.stages.flatMap(({ name }) => (name === undefined ? [] : [name]));
  throw new Fault("invalid", `target stage ${JSON.stringify(target)} could not be found`, {
    remedy: names.length === 0 ? "The file names no stages." : `Stages of the file: ${names.join(", ")}.`,
  });
}

/** What a stage is called in progress: its name, or `stage-2`. */
export function shownName(stage: Stage): string {
  return stage.name ?? `stage-${stage.index}`;
}
