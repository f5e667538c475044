import type { EndpointRecord, Sandbox } from "../records.ts";

/** All names that a container answers to in a network: its own, aliases, the short id, its hostname. */
export function dnsNamesOf(
  { containerId, aliases }: Pick<EndpointRecord, "containerId" | "aliases">,
  { containerName, hostname }: Pick<Sandbox, "containerName" | "hostname">,
): string[] {
  const names = [containerName, ...aliases, containerId.slice(0, 12), hostname];
  return [...new Set(names.filter((name) => name !== ""))];
}
