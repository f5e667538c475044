import { isIP } from "node:net";

/** One word of EXPOSE taken apart; `address` and `hostPort` mean nothing for an image, lint tells of them. */
export interface PortWord {
  readonly address: string;
  readonly hostPort: string;
  /** `80`, `8000-8010` */
  readonly containerPort: string;
  /** As written; empty: tcp. */
  readonly protocol: string;
}

/** `[address:]hostPort:containerPort[/protocol]`, or the container's alone. */
export function splitPortWord(word: string): PortWord {
  const parts = word.split(":");
  const [containerPort = "", protocol = ""] = (parts.at(-1) ?? "").split(/\/([^]*)/);
  return { address: parts.slice(0, -2).join(":"), hostPort: parts.at(-2) ?? "", containerPort, protocol };
}

/** The ports that a word of EXPOSE stands for: `80/tcp`; undefined and why, when it is none. */
export function portsOf(word: string): { readonly ports: readonly string[] } | { readonly wrong: string } {
  const { address, hostPort, containerPort, protocol } = splitPortWord(word);
  const kind = protocol === "" ? "tcp" : protocol.toLowerCase();
  if (containerPort === "") return { wrong: `invalid port: ${JSON.stringify(word)}: no port specified` };
  if (!["tcp", "udp", "sctp"].includes(kind))
    return { wrong: `invalid port: ${JSON.stringify(word)}: invalid proto: ${protocol}` };
  if (address !== "" && isIP(address.replace(/^\[([^\]]*)\]$/, "$1")) === 0)
    return { wrong: `invalid IP address: ${address}` };
  const range = rangeOf(containerPort);
  if (range === undefined) return { wrong: `invalid containerPort: ${containerPort}` };
  if (hostPort !== "" && rangeOf(hostPort) === undefined) return { wrong: `invalid hostPort: ${hostPort}` };
  const count = range.last - range.first + 1;
  return { ports: Array.from({ length: count }, (_, index) => `${range.first + index}/${kind}`) };
}

function rangeOf(text: string): { first: number; last: number } | undefined {
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const range = { first: Number(first), last: Number(last) };
  return first === undefined || range.first > range.last || range.last > 65_535 ? undefined : range;
}
