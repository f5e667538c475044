import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { type ContainerCreateAnswer, type ContainerCreateRequest, EngineFault } from "#api/client";
import { familiar, parseReference, withDefaultTag } from "#core/reference";
import { bringLogins, useApiSocket } from "./api-socket.ts";
import { pullImage } from "./pull-image.ts";
import type { ContainerFlags } from "./request/create-request.ts";
import { type Surroundings, write } from "./surroundings.ts";

/** Creates the container, pulling its image by `--pull`'s rule, and writes the `--cidfile`. Warnings go to stderr. */
export async function createContainer(
  around: Surroundings,
  request: ContainerCreateRequest,
  flags: ContainerFlags,
): Promise<{ readonly id: string }> {
  const { pull } = flags;
  if (!["always", "missing", "never"].includes(pull)) {
    throw new Error(`invalid pull option: '${pull}': must be one of "always", "missing" or "never"`);
  }
  const image = request.Image ?? "";
  // An id is no reference; all else must be one before anything is made.
  if (!/^(sha256:)?[0-9a-f]{64}$/.test(image)) parseReference(image);
  using cidFile = flags.cidfile === "" ? undefined : openCidFile(flags.cidfile);
  if (pull === "always") await pullFor(around, image, flags);
  const { logins, request: wanted } = flags["use-api-socket"]
    ? await useApiSocket(around, request)
    : { logins: {}, request };
  const answer = await createOrPull(around, wanted, flags);
  await bringLogins(around, answer.Id, logins);
  for (const warning of answer.Warnings ?? []) await write(around.stderr, `WARNING: ${warning}\n`);
  cidFile?.fill(answer.Id);
  return { id: answer.Id };
}

async function createOrPull(
  around: Surroundings,
  request: ContainerCreateRequest,
  flags: ContainerFlags,
): Promise<ContainerCreateAnswer> {
  const { containers } = await around.client();
  const options = {
    ...(flags.name !== "" && { name: flags.name }),
    ...(flags.platform !== "" && { platform: flags.platform }),
  };
  try {
    return await containers.create(request, options);
  } catch (error) {
    if (flags.pull !== "missing" || !isMissingImage(error)) throw error;
    const image = request.Image ?? "";
    if (!flags.quiet) {
      await write(around.stderr, `Unable to find image '${familiar(withDefaultTag(parseReference(image)))}' locally\n`);
    }
    await pullFor(around, image, flags);
    return await containers.create(request, options);
  }
}

async function pullFor(around: Surroundings, image: string, flags: ContainerFlags): Promise<void> {
  await pullImage(around, image, { quiet: flags.quiet, platform: flags.platform, stream: around.stderr });
}

/** A 404 of create can also mean a missing network or container. */
function isMissingImage(error: unknown): boolean {
  return (
    error instanceof EngineFault &&
    error.status === 404 &&
    /no such image|image .*(not found|does not match)/i.test(error.message)
  );
}

/** The file is made before the container, so that two runs cannot share one; it goes away again when nothing was created. */
function openCidFile(path: string): Disposable & { fill(id: string): void } {
  let descriptor: number;
  try {
    descriptor = openSync(path, "wx", 0o644);
  } catch (error) {
    if ((error as { code?: string }).code === "EEXIST") {
      throw new Error(`container ID file found, make sure the other container isn't running or delete ${path}`, {
        cause: error,
      });
    }
    throw new Error(`failed to create the container ID file: ${(error as Error).message}`, { cause: error });
  }
  let filled = false;
  return {
    fill(id) {
      writeSync(descriptor, id);
      filled = true;
    },
    [Symbol.dispose]() {
      closeSync(descriptor);
      if (!filled) rmSync(path, { force: true });
    },
  };
}
