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
  attestation: Attestation,
): StoredDocument {
  const names = tags.length === 0 ? ["_"] : tags.map((tag) => packageUrl(tag, platform));
  const subjects = names.map((name): Subject => ({ name, sha256: hexOf(manifest.digest) }));
  const annotations = { "in-toto.io/predicate-type": attestation.predicateType };
  return documentOf(statement(attestation, subjects), inTotoMediaType, { annotations });
}

/** A thing that a statement is about. */
export interface Subject {
  readonly name: string;
  readonly sha256: string;
}

/** An in-toto statement, v0.1. */
export function statement({ predicateType, predicate }: Attestation, subjects: readonly Subject[]): object {
  return {
    _type: "https://in-toto.io/Statement/v0.1",
    predicateType,
    subject: subjects.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicate,
  };
}

/** The name of an attestation that lies beside files, as BuildKit's `local` has it. */
export function attestationFile({ predicateType }: Attestation): string {
  return predicateType === spdxPredicateType ? "sbom.spdx.json" : "provenance.json";
}

/** An image in the words of package URLs (package-url/purl-spec, docker). */
export function packageUrl(reference: Reference, platform: Platform): string {
  const version = reference.tag ?? reference.digest;
  const at = version === undefined ? "" : `@${encodeURIComponent(version)}`;
  return `pkg:docker/${familiarName(reference)}${at}?platform=${encodeURIComponent(platformName(platform))}`;
}
