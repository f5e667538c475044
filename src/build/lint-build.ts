import type { Stage, Warning } from "#core/dockerfile/dockerfile";
import { type BaseFacts, lint } from "#core/dockerfile/lint/lint";
import { nativePlatform } from "#core/oci";
import type { BuildRequest } from "./build.ts";
import { globalScope, platformArgs } from "./graph/scope.ts";
import { shownName, targetStage } from "./graph/stage-names.ts";
import type { ReadDockerfile } from "./read-dockerfile.ts";
import type { ResolvedImages } from "./resolve-images.ts";

/** What the rules of lint find, with what is known of the base images. Fault `invalid` for a target that is not there. */
export function lintBuild(
  { dockerfile, warnings }: ReadDockerfile,
  request: BuildRequest,
  images: ResolvedImages,
): Warning[] {
  const platform = request.platforms[0] ?? nativePlatform();
  const predefined = platformArgs(platform, nativePlatform(), shownName(targetStage(dockerfile, request.target)));
  const globals = globalScope(dockerfile, request.args, predefined);
  const baseOf = ({ from }: Stage): BaseFacts | undefined => {
    const config = images.known({ reference: globals.word(from.image), platform })?.config.config;
    return config === undefined ? undefined : { env: config.Env ?? [], hasShell: (config.Shell ?? []).length > 0 };
  };
  return lint(dockerfile, {
    warnings,
    args: request.args,
    platformArgs: Object.fromEntries(predefined),
    baseOf,
    skip: [],
  });
}
