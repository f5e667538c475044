import { isIP } from "node:net";
import { parseResolvConf } from "#core/resolv-conf";

/** What /etc/hosts is made of. */
export interface HostsInputs {
  readonly hostname: string;
  readonly domainname: string | undefined;
  /** Of its own, on all its networks. */
  readonly addresses: readonly string[];
  /** `name:ip`, with `host-gateway` already resolved. */
  readonly extraHosts: readonly { readonly name: string; readonly ip: string }[];
  /** The host's own file, for a container in the host's network. */
  readonly hostFile?: string;
}

/** The text of a container's /etc/hosts, in Docker's order. */
export function hostsText(inputs: HostsInputs): string {
  // Whole and bare, also when the hostname itself was given with its domain.
  const whole = inputs.domainname === undefined ? inputs.hostname : `${inputs.hostname}.${inputs.domainname}`;
  const [bare = ""] = whole.split(".", 1);
  const names = bare === whole ? whole : `${whole} ${bare}`;
  return [
    ...(inputs.hostFile === undefined ? ownLines : [inputs.hostFile.trimEnd()]),
    ...inputs.extraHosts.map(({ name, ip }) => `${ip}\t${name}`),
    ...inputs.addresses.map((address) => `${address}\t${names}`),
    "",
  ].join("\n");
}

const ownLines: readonly string[] = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::\tip6-localnet",
  "ff00::\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
];

export interface ResolvConfInputs {
  /** The resolv.conf that the host itself follows. */
  readonly host: string;
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
  /** In the host's network its loopback resolvers answer; elsewhere nobody would. */
  readonly hostNetwork: boolean;
  /** Names are asked of our own resolver, which asks the servers (or the host's) in turn. */
  readonly hasResolver: boolean;
}

/** Where a container asks for names, as in Docker. */
export const resolverAddress = "127.0.0.11";

/** The text of a container's /etc/resolv.conf: our resolver, or the host's, with what was asked for instead, and public resolvers where only loopback ones were left. */
export function resolvConfText(inputs: ResolvConfInputs): string {
  const own = parseResolvConf(inputs.host);
  const wanted = inputs.servers.length > 0 ? inputs.servers : own.servers.filter(isAddress);
  const reachable =
    inputs.hostNetwork || inputs.servers.length > 0 ? wanted : wanted.filter((server) => !isLoopback(server));
  const servers = reachable.length > 0 || inputs.hostNetwork ? reachable : fallbackServers;
  const search = inputs.search.length > 0 ? inputs.search.filter((domain) => domain !== ".") : own.search;
  const options = inputs.options.length > 0 ? inputs.options : own.options;
  const asked = inputs.hasResolver ? [resolverAddress] : servers;
  const behind = inputs.hasResolver && inputs.servers.length > 0 ? [`# ExtServers: [${inputs.servers.join(" ")}]`] : [];
  return [
    ...asked.map((server) => `nameserver ${server}`),
    ...(search.length > 0 ? [`search ${search.join(" ")}`] : []),
    ...(options.length > 0 ? [`options ${options.join(" ")}`] : []),
    // As Docker writes it: whom our resolver asks in turn.
    ...behind,
    "",
  ].join("\n");
}

/** What Docker falls back to as well: the container gets an answer where the host's own resolver cannot be reached. */
const fallbackServers: readonly string[] = ["8.8.8.8", "8.8.4.4"];

/** An IPv6 address may have a zone: `fe80::1%eth0`. */
function isAddress(word: string): boolean {
  return isIP(word.replace(/%.*$/, "")) > 0;
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}
