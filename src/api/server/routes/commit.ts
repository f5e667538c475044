import { checkContainerCreate, type ContainerCreateRequest } from "#api/wire";
import type { CommitRequest } from "#containers";
import { Fault } from "#core/fault";
import { parseReference, type Reference, withDefaultTag } from "#core/reference";
import { readJson } from "../body.ts";
import type { Parameters } from "../parameters.ts";
import { route, type Route } from "../router.ts";
import type { ServerOptions } from "../server.ts";

/** `docker commit`: a container becomes an image. */
export function commitRoutes({ containers, disk }: ServerOptions): Route[] {
  return [
    route("POST /commit", async (request) => {
      const { query, signal } = request;
      const name = query.text("container");
      if (name === undefined) throw new Fault("invalid", "bad parameter: container");
      const reference = referenceIn(query);
      const body = await readJson(request);
      const config = body === undefined || body === null ? undefined : defaultsOf(checkContainerCreate(body));
      const commit: CommitRequest = {
        ...(reference !== undefined && { reference }),
        author: query.text("author") ?? "",
        message: query.text("comment") ?? "",
        pause: query.text("pause") === undefined || query.flag("pause"),
        changes: query.texts("changes"),
        ...(config !== undefined && { config }),
      };
      disk.nudge();
      const id = await containers.commit(name.replace(/^\//, ""), commit, signal);
      disk.nudge();
      return { kind: "json", status: 201, value: { Id: id } };
    }),
  ];
}

function referenceIn(query: Parameters): Reference | undefined {
  const repository = query.text("repo");
  if (repository === undefined) return undefined;
  const tag = query.text("tag");
  const reference = parseReference(tag === undefined ? repository : `${repository}:${tag}`);
  if (reference.digest !== undefined) throw new Fault("invalid", "cannot commit to digest reference");
  return withDefaultTag(reference);
}

/** The part of a container's configuration that an image has too. */
function defaultsOf(request: ContainerCreateRequest): NonNullable<CommitRequest["config"]> {
  const wanted = new Set<string>([
    ...["User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal"],
    ...["Healthcheck", "Shell", "OnBuild"],
  ]);
  return Object.fromEntries(Object.entries(request).filter(([key]) => wanted.has(key)));
}
