import type { Reference } from "#core/reference";
import { withDefaultTag } from "#core/reference";
import type { ContentStore } from "./content.ts";
import type { RegistryAuth, RemoteContent } from "./images.ts";
import { resolveFault } from "./pull-faults.ts";
import type { Places } from "#core/places";
import type { SharedWork } from "./pull-shared.ts";
import type { RegistryClient } from "./registry/client.ts";
import { download } from "./registry/download.ts";
import type { TransferStep } from "./registry/transfer.ts";

/** What content that is no image's is read with: pulls' own tools, so that all downloads have one bound. */
export interface RemoteTools {
  readonly registry: Pick<RegistryClient, "repository">;
  readonly content: ContentStore;
  readonly downloads: SharedWork<TransferStep>;
  readonly places: Places;
  readonly retryDelayMs: number;
}

/** Reads documents and blobs of a repository by the rules of pulls. */
export function remoteContent(tools: RemoteTools, reference: Reference, auth?: RegistryAuth): RemoteContent {
  const whole = withDefaultTag(reference);
  const repository = tools.registry.repository(whole, auth);
  return {
    async document(signal) {
      try {
        return (await repository.manifest(whole.digest ?? whole.tag ?? "latest", signal)).bytes;
      } catch (error) {
        throw resolveFault(error, whole);
      }
    },
    async bring(blob, lease, signal) {
      lease.protect(blob.digest);
      if (tools.content.has(blob.digest)) return;
      await tools.downloads.run(
        blob.digest,
        async (report, signal) => {
          using _place = await tools.places.take(signal);
          await download({ ...tools, repository, report }, blob, signal);
        },
        () => undefined,
        signal,
      );
    },
  };
}
