import type { Dockerfile } from "#core/dockerfile/dockerfile";
import { lint } from "#core/dockerfile/lint/lint";
import { mostDockerfileBytes, parseDockerfile } from "#core/dockerfile/parse";
import { digestOf } from "#core/digest";
import { Fault } from "#core/fault";
import type { BuildRequest } from "./build.ts";
import type { EventQueue } from "./events.ts";
import type { Trees } from "./files/trees.ts";
import type { InternalSteps } from "./internal-steps.ts";

/** A build's file, parsed, and what tells the build from others. */
export interface ReadDockerfile {
  readonly dockerfile: Dockerfile;
  readonly slot: string;
}

/** Reads and checks the Dockerfile; its warnings are told. Faults: `SyntaxFault`, and `notFound` where there is none. */
export async function readDockerfile(
  trees: Trees,
  request: BuildRequest,
  internal: InternalSteps,
  events: EventQueue,
  signal: AbortSignal,
): Promise<ReadDockerfile> {
  const path = "path" in request.dockerfile ? request.dockerfile.path : "-";
  const slot = [...placeOf(request), path].join("\0");
  const text = await internal.run(
    digestOf(`load definition\0${slot}`),
    `[internal] load build definition from ${path === "-" ? "standard input" : path}`,
    async () => await textOf(trees, request, signal),
  );
  const { dockerfile, warnings } = parseDockerfile(text);
  const all = [...warnings, ...lint(dockerfile, { args: request.args, target: request.target })];
  for (const warning of all) events.tell({ kind: "warning", warning });
  if (all.length > 0 && dockerfile.directives.check?.error === true)
    throw new Fault("invalid", `lint violation found for rules: ${[...new Set(all.map(({ rule }) => rule))].join(", ")}`);
  return { dockerfile, slot };
}

async function textOf(trees: Trees, { dockerfile }: BuildRequest, signal: AbortSignal): Promise<string> {
  if ("text" in dockerfile) return dockerfile.text;
  const context = await trees.context("");
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
