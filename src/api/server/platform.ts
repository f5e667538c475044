import { Fault } from "#core/fault";
import type { Platform } from "#core/oci";
import { parseJson } from "#api/wire";

const otherNames: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  x64: "amd64",
  aarch64: "arm64",
  i386: "386",
  armhf: "arm",
  armel: "arm",
};

/** Reads `linux/amd64`, `linux/arm/v7`, or the JSON form of API 1.48. Fault `invalid` in Docker's words. */
export function parsePlatform(text: string | undefined): Platform | undefined {
  if (text === undefined || text === "") return undefined;
  if (text.startsWith("{")) return platformFromJson(text);
  const [os = "", architecture, variant, ...rest] = text.toLowerCase().split("/");
  if (rest.length > 0 || !/^[a-z0-9_.-]+(?:\/[a-z0-9_.-]+)*$/.test(text.toLowerCase())) throw malformed(text);
  // One word is an architecture, unless it is the system's name.
  if (architecture === undefined) {
    return os === "linux" ? undefined : { os: "linux", architecture: otherNames[os] ?? os };
  }
  return {
    os,
    architecture: otherNames[architecture] ?? architecture,
    ...(variant !== undefined && { variant }),
  };
}

function platformFromJson(text: string): Platform {
  const value = parseJson(text) as Readonly<Record<string, unknown>>;
  const { os, architecture, variant } = value;
  if (typeof os !== "string" || typeof architecture !== "string") throw malformed(text);
  return { os, architecture, ...(typeof variant === "string" && variant !== "" && { variant }) };
}

function malformed(text: string): Fault {
  return new Fault("invalid", `"${text.slice(0, 100)}": unknown operating system or architecture: invalid argument`, {
    remedy: "Give os/architecture[/variant], such as linux/arm64.",
  });
}
