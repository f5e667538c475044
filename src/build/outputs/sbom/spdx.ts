import { createHash } from "node:crypto";
import { type Attestation, spdxPredicateType } from "../attestations.ts";
import type { FoundPackage } from "./packages.ts";

/** What an SBOM is about. */
export interface SbomSource {
  /** Of the image, as it is shown. */
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  readonly packages: readonly FoundPackage[];
  /** The ID of `etc/os-release`, for the packages' URLs. */
  readonly distribution?: string;
  /** Databases that are there and could not be read. */
  readonly unread: readonly string[];
}

/** The software of an image in SPDX 2.3 (spdx.github.io/spdx-spec/v2.3), sorted: the same root gives the same document, but for its time. */
export function spdx(source: SbomSource): Attestation {
  const { name, created, distribution, unread } = source;
  const found = [...new Map(source.packages.map((each) => [idOf(each, distribution), each]))].sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const content = createHash("sha256")
    .update(JSON.stringify([name, found, unread]))
    .digest("hex");
  const predicate = {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name,
    documentNamespace: `https://slipway.invalid/sbom/${content}`,
    creationInfo: {
      created: created.replace(/\.\d+Z$/, "Z"),
      creators: ["Tool: slipway"],
      ...(unread.length > 0 && { comment: `Not read, so what is in it is missing here: ${unread.join(", ")}` }),
    },
    packages: [
      {
        SPDXID: "SPDXRef-DocumentRoot",
        name,
        downloadLocation: "NOASSERTION",
        filesAnalyzed: false,
        licenseConcluded: "NOASSERTION",
        licenseDeclared: "NOASSERTION",
        copyrightText: "NOASSERTION",
        primaryPackagePurpose: "CONTAINER",
      },
      ...found.map(([id, each]) => packageOf(id, each, distribution)),
    ],
    relationships: [
      { spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: "SPDXRef-DocumentRoot" },
      ...found.map(([id]) => ({
        spdxElementId: "SPDXRef-DocumentRoot",
        relationshipType: "CONTAINS",
        relatedSpdxElement: id,
      })),
    ],
  };
  return { predicateType: spdxPredicateType, predicate };
}

function packageOf(id: string, found: FoundPackage, distribution: string | undefined): object {
  return {
    SPDXID: id,
    name: found.name,
    versionInfo: found.version,
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    sourceInfo: `acquired package info from /${found.foundIn}`,
    licenseConcluded: "NOASSERTION",
    licenseDeclared: isSimpleLicense(found.license) ? found.license : "NOASSERTION",
    ...(found.license !== "" && !isSimpleLicense(found.license) && { licenseComments: found.license }),
    copyrightText: "NOASSERTION",
    externalRefs: [
      {
        referenceCategory: "PACKAGE-MANAGER",
        referenceType: "purl",
        referenceLocator: packageUrl(found, distribution),
      },
    ],
  };
}

/** What is surely an expression of SPDX; other words would make the document invalid. */
function isSimpleLicense(license: string): boolean {
  return /^(?:0BSD|AFL-2\.1|AGPL-3\.0-(?:only|or-later)|Apache-2\.0|Artistic-2\.0|BlueOak-1\.0\.0|BSD-[234]-Clause|BSL-1\.0|CC0-1\.0|CC-BY-[34]\.0|EPL-[12]\.0|[AL]?GPL-[123]\.[01]-(?:only|or-later)|ISC|MIT|MIT-0|MPL-[12]\.[01]|OFL-1\.1|OpenSSL|PSF-2\.0|Python-2\.0|Unlicense|Zlib|ZPL-2\.1)$/.test(
    license,
  );
}

/** Package URL (package-url/purl-spec). */
function packageUrl({ kind, name, version, architecture, upstream }: FoundPackage, distribution = ""): string {
  const space = kind === "deb" || kind === "apk" || kind === "rpm" ? `${distribution || defaultSpace[kind]}/` : "";
  const epoch = kind === "rpm" ? /^(\d+):/.exec(version)?.[1] : undefined;
  const plain = epoch === undefined ? version : version.slice(epoch.length + 1);
  const qualifiers = [
    ...(architecture === "" ? [] : [`arch=${encodeURIComponent(architecture)}`]),
    ...(epoch === undefined ? [] : [`epoch=${epoch}`]),
    ...(upstream === undefined ? [] : [`upstream=${encodeURIComponent(upstream)}`]),
  ];
  const named = name
    .split("/")
    .map((part) => encodeURIComponent(part))
    .join("/");
  const plainName = kind === "pypi" ? named.toLowerCase().replaceAll("_", "-") : named;
  return `pkg:${kind}/${space}${plainName}@${encodeURIComponent(plain)}${qualifiers.length === 0 ? "" : `?${qualifiers.join("&")}`}`;
}

const defaultSpace = { deb: "debian", apk: "alpine", rpm: "fedora" } as const;

function idOf(found: FoundPackage, distribution: string | undefined): string {
  const hash = createHash("sha256")
    .update(`${packageUrl(found, distribution)}\0${found.foundIn}`)
    .digest("hex");
  return `SPDXRef-Package-${found.kind}-${found.name.replaceAll(/[^A-Za-z0-9.-]/g, "-")}-${hash.slice(0, 16)}`;
}
