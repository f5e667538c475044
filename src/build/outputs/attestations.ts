import { hexOf } from "#core/digest";
import { type Descriptor, mediaType, type Platform } from "#core/oci";
import { familiarName, type Reference } from "#core/reference";
import { platformName } from "#core/platform";
import { documentOf, type StoredDocument } from "./documents.ts";

/** What is said of an image: a predicate and its type. */
export interface Attestation {
  readonly predicateType: string;
  readonly predicate: unknown;
}

export const spdxPredicateType = "https://spdx.dev/Document";
export const provenancePredicateType = "https://slsa.dev/provenance/v0.2";
const inTotoMediaType = "application/vnd.in-toto+json";

/**
 * Attestations of an image as BuildKit stores them: each an in-toto statement (v0.1) about the image's manifest, all of them
 * the layers of a manifest of their own, for no platform, that an index names beside the image's.
 */
export function attestationManifest(
  subject: { readonly manifest: Descriptor; readonly platform: Platform; readonly tags: readonly Reference[] },
  attestations: readonly Attestation[],
): { readonly manifest: StoredDocument; readonly documents: readonly StoredDocument[] } {
  const statements = attestations.map((attestation) => statementOf(subject, attestation));
  const config = documentOf(
    {
      architecture: "unknown",
      os: "unknown",
      config: {},
      rootfs: { type: "layers", diff_ids: statements.map(({ descriptor }) => descriptor.digest) },
    },
    mediaType.ociConfig,
  );
  const manifest = documentOf(
    {
      schemaVersion: 2,
      mediaType: mediaType.ociManifest,
      config: config.descriptor,
      layers: statements.map(({ descriptor }) => descriptor),
    },
    mediaType.ociManifest,
    {
      annotations: {
        "vnd.docker.reference.digest": subject.manifest.digest,
        "vnd.docker.reference.type": "attestation-manifest",
      },
      platform: { architecture: "unknown", os: "unknown" },
    },
  );
  return { manifest, documents: [...statements, config, manifest] };
}

function statementOf(
  { manifest, platform, tags }: Parameters<typeof attestationManifest>[0],
  { predicateType, predicate }: Attestation,
): StoredDocument {
  const digest = { sha256: hexOf(manifest.digest) };
  const names = tags.length === 0 ? ["_"] : tags.map((tag) => packageUrl(tag, platform));
  const statement = {
    _type: "https://in-toto.io/Statement/v0.1",
    predicateType,
    subject: names.map((name) => ({ name, digest })),
    predicate,
  };
  return documentOf(statement, inTotoMediaType, { annotations: { "in-toto.io/predicate-type": predicateType } });
}

/** An image in the words of package URLs (package-url/purl-spec, docker). */
export function packageUrl(reference: Reference, platform: Platform): string {
  const version = reference.tag ?? reference.digest;
  const at = version === undefined ? "" : `@${encodeURIComponent(version)}`;
  return `pkg:docker/${familiarName(reference)}${at}?platform=${encodeURIComponent(platformName(platform))}`;
}
