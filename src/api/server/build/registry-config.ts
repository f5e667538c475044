import { checkRegistryConfig, parseJson } from "#api/wire";
import type { RegistryAuth } from "#images";
import { registryAuth } from "../registry-auth.ts";

/** Reads `X-Registry-Config`: JSON in base64, url-safe or not, of credentials by registry. As in Docker an empty or broken header means none. */
export function readRegistryConfig(header: string | undefined): (registry: string) => RegistryAuth | undefined {
  const byHost = new Map(entriesOf(header ?? ""));
  return (registry) => byHost.get(hostOf(registry));
}

function entriesOf(header: string): [string, RegistryAuth][] {
  try {
    // Node's decoder takes both alphabets.
    const config = checkRegistryConfig(parseJson(Buffer.from(header, "base64").toString("utf8")));
    return Object.entries(config).map(([registry, auth]) => [hostOf(registry), registryAuth(auth)]);
  } catch {
    return [];
  }
}

/** Clients name Docker Hub in several ways, and registries with or without their scheme. */
function hostOf(registry: string): string {
  const host = registry.replace(/^https?:\/\//, "").split("/")[0] ?? "";
  return ["index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"].includes(host) ? "docker.io" : host;
}
