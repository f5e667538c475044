import { Fault } from "#core/fault";
import { type HostSet, isLoopback } from "./address.ts";

/** One way to a registry: where, and how much TLS is asked of it. */
export interface Endpoint {
  /** Scheme, host and port; no path. */
  readonly origin: URL;
  readonly verifyTls: boolean;
  /** A mirror stands in for the registry: any failure moves on to the next endpoint, and it is never given credentials. */
  readonly mirror: boolean;
}

/** What the daemon's settings say about the ways to registries. */
export interface EndpointPolicy {
  readonly insecure: HostSet;
  /** Mirrors of docker.io, tried in order before it. */
  readonly mirrors: readonly URL[];
}

/** The endpoints of a registry in the order in which they are tried. Loopback and insecure registries: TLS unverified, then plain HTTP; all others: verified TLS alone. */
export function endpointsOf(domain: string, policy: EndpointPolicy): Endpoint[] {
  const origin = new URL(`https://${domain === "docker.io" ? "registry-1.docker.io" : domain}`);
  const mirrors = domain === "docker.io" ? policy.mirrors : [];
  return [
    ...mirrors.map((mirror) => ({
      origin: mirror,
      verifyTls: !mayBeInsecure(mirror, policy),
      mirror: true,
    })),
    ...waysTo(origin, policy),
  ];
}

/** Checks a `registry-mirrors` entry; Fault `invalid` unless it is `http(s)://host[:port]`. */
export function parseMirror(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
  if (!isPlain || url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    throw new Fault("invalid", "invalid mirror: a registry mirror is http:// or https://, a host and perhaps a port", {
      remedy: "Write it like https://mirror.example.com:5000, without path, user, query or fragment.",
    });
  }
  return url;
}

/** Whether the settings allow speaking to the host without verified TLS. */
export function mayBeInsecure(url: URL, policy: EndpointPolicy): boolean {
  return isLoopback(url) || policy.insecure.has(url);
}

function waysTo(origin: URL, policy: EndpointPolicy): Endpoint[] {
  if (!mayBeInsecure(origin, policy)) return [{ origin, verifyTls: true, mirror: false }];
  const plain = new URL(`http://${origin.host}`);
  return [
    { origin, verifyTls: false, mirror: false },
    { origin: plain, verifyTls: false, mirror: false },
  ];
}
