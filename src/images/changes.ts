import { applyToConfig, isConfigInstruction, lookupIn } from "#core/dockerfile/apply-config";
import { parseInstructions } from "#core/dockerfile/parse";
import { Fault } from "#core/fault";
import type { ContainerDefaults } from "#core/oci";

/** Applies `--change` instructions (a part of the Dockerfile language) to an image's defaults; their variables are those of its environment. Faults: `invalid`, in Docker's words for instructions that cannot be a change. */
export function applyChanges(defaults: ContainerDefaults, changes: readonly string[]): ContainerDefaults {
  let changed = defaults;
  let hasOwnCommand = false;
  for (const instruction of parseInstructions(changes.join("\n"), refuseOthers)) {
    if (!isConfigInstruction(instruction)) continue;
    changed = applyToConfig(changed, instruction, { lookup: lookupIn(changed.Env), escape: "\\", hasOwnCommand });
    if (instruction.kind !== "cmd") continue;
    changed = { ...changed, ArgsEscaped: false };
    hasOwnCommand = true;
  }
  return changed;
}

const changeable = new Set([
  ...["CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "STOPSIGNAL", "USER", "VOLUME"],
  "WORKDIR",
]);

function refuseOthers(keyword: string): void {
  if (!changeable.has(keyword.toUpperCase())) throw new Fault("invalid", `${keyword} is not a valid change command`);
}
