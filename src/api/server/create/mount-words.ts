import { isAbsolute, normalize } from "node:path";
import type { Propagation } from "#containers";
import { Fault } from "#core/fault";

/** What the words behind a `-v` mean; undefined: nothing was said. */
export interface MountModes {
  readonly readOnly: boolean;
  readonly propagation: Propagation | undefined;
  readonly noCopy: boolean | undefined;
  /** Podman's `U`. */
  readonly chown: boolean;
  /** Podman's `idmap`, with what follows its equals sign. */
  readonly idmap: string | undefined;
}

/** Words by what they decide; of each only one may be given. SELinux labels have no effect where SELinux is off, and consistency words have none on Linux. */
const groups: Readonly<Record<string, string>> = {
  ...{ ro: "access", rw: "access", z: "label", Z: "label", copy: "copy", nocopy: "copy" },
  ...{ cached: "consistency", delegated: "consistency", consistent: "consistency" },
  ...{ private: "propagation", rprivate: "propagation", slave: "propagation", rslave: "propagation" },
  ...{ shared: "propagation", rshared: "propagation", U: "chown", idmap: "idmap" },
};

/** Reads `ro,z,rslave`. Fault `invalid` in Docker's words. */
export function mountModes(text: string): MountModes {
  const chosen = new Map<string, string>();
  for (const word of text === "" ? [] : text.split(",")) {
    const group = word.startsWith("idmap=") ? "idmap" : groups[word];
    if (group === undefined || chosen.has(group)) throw new Fault("invalid", `invalid mode: ${text.slice(0, 100)}`);
    chosen.set(group, word);
  }
  const copy = chosen.get("copy");
  return {
    readOnly: chosen.get("access") === "ro",
    propagation: propagationOf(chosen.get("propagation") ?? ""),
    noCopy: copy === undefined ? undefined : copy === "nocopy",
    chown: chosen.has("chown"),
    idmap: chosen.get("idmap")?.replace(/^idmap=?/, ""),
  };
}

/** The word, if it is one for propagation. */
export function propagationOf(word: string): Propagation | undefined {
  return groups[word] === "propagation" ? (word as Propagation) : undefined;
}

/** In Docker's words. */
export function invalidMount(type: string, reason: string, preface = ""): Fault {
  return new Fault("invalid", `${preface}invalid mount config for type "${type === "" ? "volume" : type}": ${reason}`);
}

/** A path within a volume or an image. Fault `invalid` for one that leads out of it. */
export function checkSubpath(type: string, subpath: string): void {
  const clean = normalize(subpath);
  const leadsOut = isAbsolute(subpath) || clean === ".." || clean.startsWith("../") || subpath.includes("\0");
  if (leadsOut) throw invalidMount(type, `subpath must be a relative path within the ${type}`);
}
