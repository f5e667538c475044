import { defaultHost } from "#api/client";
import { choice, list, text, toggle } from "./flags/flag.ts";
import type { FlagValues } from "./flags/flag.ts";

/** The flags before the command's name. */
export const globalFlags = {
  config: text("Folder of the client's config.json (default $DOCKER_CONFIG or ~/.docker)"),
  debug: toggle("Say more when something fails", { short: "D" }),
  host: list("Engine to talk to: unix:///path or tcp://host:port; goes before SLIPWAY_HOST and DOCKER_HOST", {
    short: "H",
  }),
  "log-level": choice("Least severity of this program's own messages", ["debug", "info", "warn", "error", "fatal"], {
    short: "l",
    initial: "info",
  }),
  "no-autostart": toggle("Do not start a daemon when none answers on the default socket"),
  tls: toggle("Use TLS; implied by --tlsverify"),
  tlscacert: text("Trust only certificates signed by this authority (default ca.pem in the config folder)"),
  tlscert: text("This client's certificate (default cert.pem in the config folder)"),
  tlskey: text("This client's key (default key.pem in the config folder)"),
  tlsverify: toggle("Use TLS, and check the engine's certificate"),
  version: toggle("Print the version", { short: "v" }),
} as const;

export type GlobalValues = FlagValues<typeof globalFlags>;

/** Which engine is meant: `-H`, then SLIPWAY_HOST, then DOCKER_HOST, then the default socket (the only one that is started by itself). */
export function chooseHost(
  flags: Pick<GlobalValues, "host" | "no-autostart">,
  env: Readonly<Record<string, string | undefined>>,
): { readonly host: string; readonly mayStart: boolean } {
  const chosen = flags.host.at(-1) ?? (env["SLIPWAY_HOST"] || env["DOCKER_HOST"] || undefined);
  if (chosen !== undefined) return { host: normalise(chosen), mayStart: false };
  return { host: defaultHost, mayStart: !flags["no-autostart"] };
}

function normalise(host: string): string {
  if (host.includes("://")) return host;
  return host.startsWith("/") ? `unix://${host}` : `tcp://${host}`;
}
