import type { Platform } from "#core/oci";

/** The platforms that a machine of the wanted one can run, best first: itself, older variants, its 32-bit kin (containerd's order, which Docker uses). */
export function runnableOn(wanted: Platform): Platform[] {
  const { os, architecture, variant } = normalized(wanted);
  const level = Number(/^v(\d+)$/.exec(variant ?? "")?.[1] ?? 0);
  const variants = (from: number, to: number, of: string): Platform[] =>
    Array.from({ length: Math.max(0, from - to + 1) }, (_, index) => ({
      os,
      architecture: of,
      variant: `v${from - index}`,
    }));
  if (architecture === "amd64") {
    return [...variants(level, 2, "amd64"), { os, architecture }, { os, architecture: "386" }];
  }
  if (architecture === "arm64") {
    return [...variants(level, 9, "arm64"), { os, architecture }, ...variants(8, 5, "arm")];
  }
  if (architecture === "arm") return variants(level, 5, "arm");
  return [{ os, architecture, ...(variant !== undefined && { variant }) }];
}

/** Where the platform stands in what can run; 0 is best, undefined cannot run. */
export function rankOf(platform: Platform, runnable: readonly Platform[]): number | undefined {
  const own = normalized(platform);
  const rank = runnable.findIndex((each) => {
    return each.os === own.os && each.architecture === own.architecture && each.variant === own.variant;
  });
  return rank < 0 ? undefined : rank;
}

/** As Docker writes it: `linux/amd64`, `linux/arm64/v8`, `linux/arm/v7`. */
export function platformText(platform: Platform): string {
  const { os, architecture, variant } = normalized(platform);
  const shown = architecture === "arm64" ? (variant ?? "v8") : variant;
  return [os, architecture, ...(shown === undefined ? [] : [shown])].join("/");
}

/** One name for each platform; the variant that every machine of the kind has is left out. */
function normalized({ os, architecture, variant }: Platform): Platform {
  const [base, implied] = aliases[architecture.toLowerCase()] ?? [architecture.toLowerCase(), undefined];
  const given = variant === undefined || variant === "" ? implied : variant.toLowerCase().replace(/^(?=\d)/, "v");
  const kept = given === usual[base] && base !== "arm" ? undefined : (given ?? (base === "arm" ? "v7" : undefined));
  return { os: os.toLowerCase(), architecture: base, ...(kept !== undefined && { variant: kept }) };
}

const aliases: Readonly<Record<string, readonly [string, string | undefined]>> = {
  x86_64: ["amd64", undefined],
  "x86-64": ["amd64", undefined],
  aarch64: ["arm64", undefined],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
  i386: ["386", undefined],
};

const usual: Readonly<Record<string, string>> = { amd64: "v1", arm64: "v8" };
