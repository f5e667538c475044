import { Fault } from "./fault.ts";
import { nativePlatform, type Platform } from "./oci.ts";

const otherNames: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  x64: "amd64",
  aarch64: "arm64",
  i386: "386",
  armhf: "arm",
  armel: "arm",
};

/** Reads `linux/amd64`, `linux/arm/v7`, `arm64`; `linux` alone is this machine's. Fault `invalid` in Docker's words. */
export function parsePlatform(text: string): Platform {
  const [os = "", architecture, variant, ...rest] = text.toLowerCase().split("/");
  if (rest.length > 0 || !/^[a-z0-9_.-]+(?:\/[a-z0-9_.-]+)*$/.test(text.toLowerCase())) throw malformedPlatform(text);
  // One word is an architecture, unless it is the system's name.
  if (architecture === undefined) {
    return os === "linux" ? nativePlatform() : { os: "linux", architecture: otherNames[os] ?? os };
  }
  return {
    os,
    architecture: otherNames[architecture] ?? architecture,
    ...(variant !== undefined && { variant }),
  };
}

/** `linux/arm/v7`. */
export function platformName({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join("/");
}

export function malformedPlatform(text: string): Fault {
  return new Fault("invalid", `"${text.slice(0, 100)}": unknown operating system or architecture: invalid argument`, {
    remedy: "Give os/architecture[/variant], such as linux/arm64.",
  });
}
