import type { NetworkMode } from "#networks";

/** What `--network` means. */
export function parseNetworkMode(text: string): NetworkMode {
  if (text === "none") return { kind: "none" };
  if (text === "host") return { kind: "host" };
  if (text.startsWith("container:")) return { kind: "container", containerId: text.slice("container:".length) };
  return { kind: "network", name: text === "" || text === "default" ? "bridge" : text };
}
