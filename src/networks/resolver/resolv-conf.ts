import { isIP } from "node:net";
import { parseResolvConf } from "#core/resolv-conf";

/** A server that answers queries. */
export interface Server {
  /** An IPv6 address may have a zone: `fe80::1%eth0`. */
  readonly address: string;
  readonly port: number;
}

/** Servers in the order in which they are asked, and how patiently. */
export interface Upstreams {
  readonly servers: readonly Server[];
  /** For each server and try. */
  readonly timeoutMs: number;
  /** How often the list is gone through. */
  readonly attempts: number;
}

const defaultTimeoutMs = 2000;
const defaultAttempts = 1;
const maxTimeoutS = 10;
const maxAttempts = 5;
const maxServers = 8;
const dnsPort = 53;
/** Where containers reach us; it is nobody else's address. */
const ownAddress = "127.0.0.11";

/** Servers, `options timeout:` and `options attempts:` of a resolv.conf(5); without a server the machine itself, as in the C library. */
export function hostUpstreams(text: string): Upstreams {
  const conf = parseResolvConf(text);
  const option = (name: string): number | undefined => {
    const word = conf.options.findLast((each) => new RegExp(`^${name}:\\d{1,4}$`).test(each));
    return word === undefined ? undefined : Number(word.slice(name.length + 1));
  };
  const servers = parseServers(conf.servers);
  const timeoutS = option("timeout");
  return {
    servers: servers.length > 0 ? servers : [{ address: "127.0.0.1", port: dnsPort }],
    timeoutMs: timeoutS === undefined ? defaultTimeoutMs : Math.min(Math.max(timeoutS, 1), maxTimeoutS) * 1000,
    attempts: Math.min(Math.max(option("attempts") ?? defaultAttempts, 1), maxAttempts),
  };
}

/** A container's own servers (`--dns`); what is no address is left out. */
export function upstreamsOf(servers: readonly string[]): Upstreams {
  return { servers: parseServers(servers), timeoutMs: defaultTimeoutMs, attempts: defaultAttempts };
}

/** The servers among those words: at most eight, and never ourselves. */
function parseServers(words: readonly string[]): Server[] {
  const servers = words.map(parseServer).filter((server) => server !== undefined);
  return servers.filter(({ address }) => address !== ownAddress).slice(0, maxServers);
}

/** `192.0.2.1`, `192.0.2.1:5353`, `192.0.2.1#5353`, `2001:db8::1`, `fe80::1%eth0#5353`, `[2001:db8::1]:5353`; undefined for anything else. */
export function parseServer(word: string): Server | undefined {
  const { address = "", port = String(dnsPort) } =
    (
      /^\[(?<address>[^\]]+)\](?:[:#](?<port>\d+))?$/.exec(word) ??
      /^(?<address>[\d.]+):(?<port>\d+)$/.exec(word) ??
      /^(?<address>[^#]+)(?:#(?<port>\d+))?$/.exec(word)
    )?.groups ?? {};
  if (isIP(address) === 0 || !/^\d{1,5}$/.test(port)) return undefined;
  const number = Number(port);
  return number >= 1 && number <= 65_535 ? { address, port: number } : undefined;
}
