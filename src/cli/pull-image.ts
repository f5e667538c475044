import type { ProgressMessage } from "#api/client";
import { canonical, familiarName, parseReference } from "#core/reference";
import { credentialsFor } from "./credentials.ts";
import { showProgress } from "./output/progress.ts";
import type { Surroundings } from "./surroundings.ts";

/** Pulls an image with the user's credentials, showing the progress on the stream unless quiet. */
export async function pullImage(
  around: Surroundings,
  name: string,
  options: {
    readonly quiet: boolean;
    readonly platform: string;
    readonly stream: NodeJS.WriteStream;
    readonly allTags?: boolean;
  },
): Promise<void> {
  const reference = parseReference(name);
  const config = await around.userConfig();
  const auth = await credentialsFor(config, canonical(reference));
  const tag = reference.digest ?? reference.tag;
  const messages = await (
    await around.client()
  ).images.pull({
    image: familiarName(reference),
    ...(tag !== undefined && { tag }),
    allTags: options.allTags ?? false,
    ...(options.platform !== "" && { platform: options.platform }),
    ...(auth !== undefined && { auth }),
  });
  if (options.quiet) await drain(messages);
  else await showProgress(messages, options.stream);
}

async function drain(messages: AsyncIterable<ProgressMessage>): Promise<void> {
  for await (const _message of messages) {
    // The iteration itself throws what fails.
  }
}
