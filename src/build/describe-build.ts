import { rfc3339Nano } from "#core/clock";
import { hexOf } from "#core/digest";
import type { Platform } from "#core/oci";
import { platformName } from "#core/platform";
import { familiar } from "#core/reference";
import type { Attestation } from "./outputs/attestations.ts";
import type { BuiltImage } from "./outputs/built.ts";
import { packageUrl } from "./outputs/attestations.ts";
import { provenance } from "./outputs/provenance.ts";
import { scanRoot } from "./outputs/sbom/scan-root.ts";
import { spdx } from "./outputs/sbom/spdx.ts";
import type { Room } from "./room.ts";
import type { Solved } from "./solve-graphs.ts";
import type { Storing } from "./store-images.ts";

/** What is said of one platform's image. */
export interface DescribedBuild {
  readonly platform: Platform;
  /** For the metadata, also where it is not kept with the image. */
  readonly provenance: Attestation;
  readonly attestations: readonly Attestation[];
}

/** Says of each image how it was made (`--provenance`) and what is in it (`--sbom`). */
export async function describeBuild(
  room: Room,
  storing: Storing,
  built: readonly Omit<BuiltImage, "id" | "manifest">[],
  signal: AbortSignal,
): Promise<DescribedBuild[]> {
  return await Promise.all(
    storing.solved.map(async (solved, index): Promise<DescribedBuild> => {
      const { request } = storing;
      const madeBy = provenanceOf(room, storing, solved);
      const contents = request.sbom ? await sbomOf(room, storing, built[index], signal) : undefined;
      const attestations = [
        ...(request.provenance === "off" ? [] : [madeBy]),
        ...(contents === undefined ? [] : [contents]),
      ];
      return { platform: solved.graph.platform, provenance: madeBy, attestations };
    }),
  );
}

function provenanceOf(
  { clock }: Room,
  { buildId, request, images, read, startedNs, epochNs }: Storing,
  { graph }: Solved,
): Attestation {
  const { context, args, labels, target, secrets, sshAgents } = request;
  const given = Object.entries(args).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  return provenance({
    mode: request.provenance === "max" ? "max" : "min",
    buildId,
    builderId: "",
    platform: graph.platform,
    startedOn: rfc3339Nano(epochNs ?? startedNs),
    finishedOn: rfc3339Nano(epochNs ?? clock.now()),
    dockerfile: {
      path: "path" in request.dockerfile ? request.dockerfile.path : "Dockerfile",
      text: read.dockerfile.text,
    },
    ...(target !== undefined && { target }),
    args: Object.fromEntries(given),
    labels,
    secretIds: [...secrets.keys()],
    sshIds: [...sshAgents.keys()],
    locals: context.kind === "folder" || context.kind === "archive" ? ["context", "dockerfile"] : [],
    materials: images.used().map(({ reference, platform, digest }) => ({
      uri: packageUrl(reference, platform),
      algorithm: "sha256",
      hex: hexOf(digest),
    })),
    steps: graph.steps.map(({ id, name, previous }) => ({
      id,
      name,
      inputs: previous === undefined ? [] : [previous],
    })),
  });
}

async function sbomOf(
  { images, host, mountPoint, clock, folder }: Room,
  { request, epochNs }: Storing,
  built: Omit<BuiltImage, "id" | "manifest"> | undefined,
  signal: AbortSignal,
): Promise<Attestation> {
  const scanned = await scanRoot(
    { layers: images.layers, shim: host.shim, mountPoint, scratchFolder: folder },
    built?.stack,
    signal,
  );
  const [tag] = request.tags;
  return spdx({
    ...scanned,
    name:
      tag === undefined
        ? `image for ${platformName(built?.platform ?? { os: "linux", architecture: "" })}`
        : familiar(tag),
    created: rfc3339Nano(epochNs ?? clock.now()),
  });
}
