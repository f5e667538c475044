import type { Dockerfile, Warning } from "#core/dockerfile/dockerfile";
import { mostDockerfileBytes, parseDockerfile } from "#core/dockerfile/parse";
import { digestOf } from "#core/digest";
import { Fault } from "#core/fault";
import type { BuildRequest } from "./build.ts";
import type { Trees } from "./files/trees.ts";
import type { InternalSteps } from "./internal-steps.ts";

/** A build's file, parsed, and what tells the build from others. */
export interface ReadDockerfile {
  readonly dockerfile: Dockerfile;
  readonly warnings: readonly Warning[];
  readonly slot: string;
}

/** Reads and parses the Dockerfile. Faults: `SyntaxFault`, and `notFound` where there is none. */
export async function readDockerfile(
  trees: Trees,
  request: BuildRequest,
  internal: InternalSteps,
  signal: AbortSignal,
): Promise<ReadDockerfile> {
  const path = "path" in request.dockerfile ? request.dockerfile.path : "-";
  const slot = [...placeOf(request), path].join("\0");
  const text = await internal.run(
    digestOf(`load definition\0${slot}`),
    `[internal] load build definition from ${path === "-" ? "standard input" : path}`,
    async () => await textOf(trees, request, signal),
  );
  return { ...parseDockerfile(text), slot };
}

async function textOf(trees: Trees, { dockerfile }: BuildRequest, signal: AbortSignal): Promise<string> {
  if ("text" in dockerfile) return dockerfile.text;
  const context = await trees.context("");
  if (trees.textAlone !== undefined) return trees.textAlone;
  const bytes = await context.read(dockerfile.path, mostDockerfileBytes, signal);
  if (bytes !== undefined) return bytes.toString("utf8");
  throw new Fault("notFound", `failed to read dockerfile: open ${dockerfile.path}: no such file or directory`, {
    remedy: "Name it with -f, as a path in the context.",
  });
}

function placeOf({ context, tags }: BuildRequest): string[] {
  switch (context.kind) {
    case "folder":
      return ["folder", context.path];
    case "remote":
      return ["remote", context.url];
    default: {
      const [tag] = tags;
      return [context.kind, tag === undefined ? "" : `${tag.domain}/${tag.path}`];
    }
  }
}
