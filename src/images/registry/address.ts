import { BlockList, isIP } from "node:net";

/** A set of hosts, host:ports, addresses and CIDRs, as `insecure-registries` and NO_PROXY carry them. */
export interface HostSet {
  /** Whether the host of the URL (or its address range) is in the set; a port in an entry must match. */
  has(url: URL): boolean;
}

/** Builds the set from entries such as `registry.lan`, `registry.lan:5000`, `10.1.2.3`, `10.0.0.0/8`, `fd00::/8`. With `suffixes`, a name also covers what is below it. Names are never resolved: whoever answers for a name could make it match. */
export function hostSet(entries: readonly string[], options: { readonly suffixes?: boolean } = {}): HostSet {
  const ranges = new BlockList();
  const names = new Map<string, Set<string>>();
  for (const entry of entries.map((text) => text.trim().toLowerCase()).filter((text) => text !== "")) {
    if (!addRange(ranges, entry)) addName(names, entry);
  }
  return {
    has(url) {
      const host = bareHost(url);
      const family = isIP(host);
      if (family !== 0 && ranges.check(host, family === 6 ? "ipv6" : "ipv4")) return true;
      return matchesName(names, host, portOf(url), options.suffixes === true);
    },
  };
}

/** Whether the URL names this machine itself: 127.0.0.0/8, ::1, localhost and what is below it. */
export function isLoopback(url: URL): boolean {
  const host = bareHost(url);
  return host === "localhost" || host.endsWith(".localhost") || loopback.has(url);
}

/** The host without brackets and port, lower-case. */
export function bareHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
}

const loopback = hostSet(["127.0.0.0/8", "::1/128"]);

function addRange(ranges: BlockList, entry: string): boolean {
  const [address = "", length] = entry.replace(/^\[|\]$/g, "").split("/");
  const family = isIP(address);
  if (family === 0) return false;
  const bits = length === undefined ? (family === 6 ? 128 : 32) : Number(length);
  if (!Number.isInteger(bits) || bits < 0 || bits > (family === 6 ? 128 : 32)) return false;
  ranges.addSubnet(address, bits, family === 6 ? "ipv6" : "ipv4");
  return true;
}

function addName(names: Map<string, Set<string>>, entry: string): void {
  const [, host = entry, port = ""] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
  const key = host.replace(/^\[|\]$/g, "").replace(/^\*?\./, "");
  names.set(key, (names.get(key) ?? new Set()).add(port));
}

function matchesName(names: Map<string, Set<string>>, host: string, port: string, suffixes: boolean): boolean {
  for (let name = host; ; name = name.slice(name.indexOf(".") + 1)) {
    const ports = names.get(name);
    if (ports !== undefined && (ports.has("") || ports.has(port))) return true;
    if (!suffixes || !name.includes(".") || isIP(host) !== 0) return false;
  }
}

function portOf(url: URL): string {
  return url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
}
