import { apiVersion, checkContainerUpdate } from "#api/wire";
import { readJson } from "../body.ts";
import { limitChanges, readRestartPolicy } from "../create/limits.ts";
import type { Answer } from "../http/answer.ts";
import { type ApiRequest, route, type Route } from "../router.ts";
import type { ServerOptions } from "../server.ts";
import { nameIn } from "./containers.ts";

/** `POST /containers/{name}/update`. */
export function containerUpdateRoutes(options: ServerOptions): Route[] {
  return [route("POST /containers/{name}/update", (request) => update(options, request))];
}

async function update({ containers }: ServerOptions, request: ApiRequest): Promise<Answer> {
  const { RestartPolicy: policy, PidsLimit: pids, ...resources } = checkContainerUpdate(await readJson(request));
  // Older clients send 0 without meaning it.
  const knowsPids = request.version >= apiVersion("1.40") && pids !== undefined;
  const warnings = await containers.update(nameIn(request), {
    limits: limitChanges({ ...resources, ...(knowsPids && { PidsLimit: pids }) }),
    ...(policy !== undefined && policy.Name !== "" && { restart: readRestartPolicy(policy) }),
  });
  return { kind: "json", status: 200, value: { Warnings: warnings } };
}
