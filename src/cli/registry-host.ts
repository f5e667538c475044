import { isIP } from "node:net";

/** Checks a registry as `--insecure-registry` names it: `host`, `host:port`, or a CIDR; throws an Error in dockerd's words. */
export function checkRegistryHost(item: string): string {
  const [address = "", bits] = item.split("/", 2);
  if (bits !== undefined && isIP(address) !== 0 && /^\d{1,3}$/.test(bits)) return item;
  if (/^https?:\/\//.test(item)) throw new Error(`insecure registry ${item} should not contain '://'`);
  const [, host = "", port] = /^(\[[0-9a-fA-F:]+\]|[^:/]+)(?::(\d+))?$/.exec(item) ?? [];
  if (host === "" || host.startsWith("-"))
    throw new Error(`insecure registry ${item} is not valid: invalid host "${item}"`);
  if (port !== undefined && Number(port) > 65535) throw new Error(`invalid port "${port}"`);
  return item;
}
