import { tagged, type TaggedFields } from "./tagged-fields.ts";

/** A package that is installed in a root filesystem. */
export interface FoundPackage {
  readonly kind: "deb" | "apk" | "rpm" | "npm" | "pypi";
  readonly name: string;
  readonly version: string;
  /** As the package says it; empty: it says nothing. */
  readonly license: string;
  readonly architecture: string;
  /** Of which it is built, when that is another. */
  readonly upstream?: string;
  /** Where this was read, without a slash at its start. */
  readonly foundIn: string;
}

/** Packages of dpkg: `var/lib/dpkg/status`, or one file in `status.d` each (dpkg(1), deb-control(5)). Those that are not installed any more are left out. */
export function dpkgPackages(text: string, foundIn: string): FoundPackage[] {
  return paragraphs(text).flatMap((fields) => {
    const [name, version, status] = [fields.get("Package"), fields.get("Version"), fields.get("Status")];
    if (name === undefined || version === undefined) return [];
    if (status !== undefined && !status.endsWith(" installed")) return [];
    const source = fields.get("Source")?.replace(/ .*$/, "");
    return [
      {
        kind: "deb",
        name,
        version,
        license: "",
        architecture: fields.get("Architecture") ?? "",
        ...(source !== undefined && source !== name && { upstream: source }),
        foundIn,
      },
    ];
  });
}

/** Packages of apk: `lib/apk/db/installed` (one letter and a colon for each field). */
export function apkPackages(text: string, foundIn: string): FoundPackage[] {
  return paragraphs(text).flatMap((fields) => {
    const [name, version, origin] = [fields.get("P"), fields.get("V"), fields.get("o")];
    if (name === undefined || version === undefined) return [];
    return [
      {
        kind: "apk",
        name,
        version,
        license: fields.get("L") ?? "",
        architecture: fields.get("A") ?? "",
        ...(origin !== undefined && origin !== name && { upstream: origin }),
        foundIn,
      },
    ];
  });
}

/** A package of npm: the `package.json` of a folder in `node_modules`. Undefined for what is none. */
export function npmPackage(text: string, foundIn: string): FoundPackage | undefined {
  const document = objectOf(text);
  const [name, version, license] = [document?.["name"], document?.["version"], document?.["license"]];
  if (typeof name !== "string" || typeof version !== "string" || name === "" || version === "") return undefined;
  return { kind: "npm", name, version, license: typeof license === "string" ? license : "", architecture: "", foundIn };
}

/** A package of Python: the `METADATA` of a `.dist-info`, or the `PKG-INFO` of an `.egg-info` folder (packaging.python.org, core metadata). */
export function pythonPackage(text: string, foundIn: string): FoundPackage | undefined {
  const fields = tagged(text.split(/\r?\n\r?\n/, 1)[0] ?? "");
  const [name, version] = [fields.get("Name"), fields.get("Version")];
  if (name === undefined || version === undefined) return undefined;
  const license = fields.get("License-Expression") ?? fields.get("License") ?? "";
  return { kind: "pypi", name, version, license, architecture: "", foundIn };
}

function paragraphs(text: string): TaggedFields[] {
  return text.split(/\n\s*\n/).map((paragraph) => tagged(paragraph));
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
