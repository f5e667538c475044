import type { Platform } from "#core/oci";
import { platformName } from "#core/platform";
import { type Attestation, provenancePredicateType } from "./attestations.ts";

/** What a build was made of and how; nothing secret is in it but, in `args` and `labels`, what people wrongly put there. */
export interface ProvenanceSource {
  readonly mode: "min" | "max";
  readonly buildId: string;
  /** Who built: a URI; empty: nobody says. */
  readonly builderId: string;
  readonly platform: Platform;
  /** RFC 3339. */
  readonly startedOn: string;
  readonly finishedOn: string;
  /** Path of the Dockerfile, and the repository that it came from. */
  readonly dockerfile: { readonly path: string; readonly text: string };
  readonly source?: { readonly uri: string; readonly commit: string };
  readonly target?: string;
  readonly args: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Ids and names alone, never values. */
  readonly secretIds: readonly string[];
  readonly sshIds: readonly string[];
  readonly locals: readonly string[];
  /** Images, files of the web, commits: by digest, `sha256` or `sha1`. */
  readonly materials: readonly { readonly uri: string; readonly algorithm: "sha256" | "sha1"; readonly hex: string }[];
  readonly steps: readonly { readonly id: string; readonly name: string; readonly inputs: readonly string[] }[];
}

/** The provenance of an image, SLSA v0.2 with BuildKit's fields; `min` says nothing of arguments, labels, secrets, nor of steps and the Dockerfile. */
export function provenance(source: ProvenanceSource): Attestation {
  const isMax = source.mode === "max";
  const { source: origin, dockerfile } = source;
  const withheld = Object.keys(source.args).length + Object.keys(source.labels).length;
  const predicate = {
    builder: { id: source.builderId },
    buildType: "https://mobyproject.org/buildkit@v1",
    materials: source.materials
      .map(({ uri, algorithm, hex }) => ({ uri: withoutPassword(uri), digest: { [algorithm]: hex } }))
      .sort((a, b) => (a.uri < b.uri ? -1 : 1)),
    invocation: {
      configSource: {
        ...(origin !== undefined && { uri: withoutPassword(origin.uri), digest: { sha1: origin.commit } }),
        entryPoint: dockerfile.path,
      },
      parameters: {
        frontend: "dockerfile.v0",
        args: argsOf(source),
        ...(isMax &&
          source.secretIds.length > 0 && { secrets: source.secretIds.map((id) => ({ id, optional: true })) }),
        ...(isMax && source.sshIds.length > 0 && { ssh: source.sshIds.map((id) => ({ id, optional: true })) }),
        ...(source.locals.length > 0 && { locals: source.locals.map((name) => ({ name })) }),
      },
      environment: { platform: platformName(source.platform) },
    },
    ...(isMax && { buildConfig: { steps: source.steps } }),
    metadata: {
      buildInvocationID: source.buildId,
      buildStartedOn: source.startedOn,
      buildFinishedOn: source.finishedOn,
      completeness: { parameters: isMax || withheld === 0, environment: true, materials: source.locals.length === 0 },
      reproducible: false,
      "https://mobyproject.org/buildkit@v1#metadata": {
        ...(origin !== undefined && { vcs: { source: withoutPassword(origin.uri), revision: origin.commit } }),
        ...(isMax && {
          source: {
            infos: [
              {
                filename: dockerfile.path,
                language: "Dockerfile",
                data: Buffer.from(dockerfile.text).toString("base64"),
              },
            ],
          },
        }),
      },
    },
  };
  return { predicateType: provenancePredicateType, predicate };
}

function argsOf({ mode, target, args, labels }: ProvenanceSource): Readonly<Record<string, string>> {
  const asked = target === undefined ? {} : { target };
  if (mode === "min") return asked;
  return { ...prefixed("build-arg:", args), ...prefixed("label:", labels), ...asked };
}

function prefixed(prefix: string, values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value]));
}

/** A URL as it may be kept: signed links and passwords are secrets. */
function withoutPassword(uri: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(uri) || !URL.canParse(uri)) return uri;
  const url = new URL(uri);
  if (url.username === "" && url.password === "") return uri;
  url.username = "xxxxx";
  url.password = url.password === "" ? "" : "xxxxx";
  return url.href;
}
