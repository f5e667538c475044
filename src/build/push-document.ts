import { digestOf } from "#core/digest";
import { canonical } from "#core/reference";
import type { Images, PushRequest } from "#images";
import type { BuildRequest } from "./build.ts";
import type { InternalSteps } from "./internal-steps.ts";

/** What a build pushes with. */
export interface PushParts {
  readonly images: Images;
  readonly internal: InternalSteps;
  readonly credentials: BuildRequest["credentials"];
}

/** Pushes as a step of the build, with its progress. Faults: the push's own. */
export async function pushDocument(
  { images, internal, credentials }: PushParts,
  request: Omit<PushRequest, "auth">,
  doing: string,
  signal: AbortSignal,
): Promise<void> {
  const name = canonical(request.reference);
  const auth = credentials(request.reference.domain);
  await internal.run(digestOf(`push\0${doing}\0${name}`), `${doing} ${name}`, async (progress) => {
    const pushing = images.push({ ...request, ...(auth !== undefined && { auth }) }, signal);
    for await (const { status, id, current, total } of pushing)
      if (id !== undefined && current !== undefined)
        progress([status, id].filter((word) => word !== undefined).join(" "), current, total);
  });
}
