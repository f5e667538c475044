import { type FailureReason, RegistryFault } from "./failure.ts";

/**
 * Turns what node says of a failed exchange into a fault that names the host and the remedy, in the words that
 * Docker's clients know (`no such host`, `connection refused`, `x509: …`).
 */
export function networkFailure(error: unknown, method: string, url: URL, proxy?: URL): RegistryFault {
  const { reason, text } = wordingOf(codeOf(error), error);
  // Only name and connection are the proxy's; TLS and HTTP within the tunnel are the registry's.
  const isProxys = proxy !== undefined && (reason === "dns" || reason === "connect");
  const through = isProxys ? ` through the proxy ${proxy.host}` : "";
  const said = text.replace("%h", isProxys ? proxy.hostname : url.hostname);
  return new RegistryFault(reason, `${verb(method)} "${shown(url)}"${through}: ${said}`, {
    cause: error,
    remedy: remedyOf(reason, isProxys ? proxy.host : url.host, isProxys),
  });
}

/** A URL as it may be shown: without query (signed links carry secrets there) and without user and password. */
export function shown(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

function verb(method: string): string {
  return method.charAt(0) + method.slice(1).toLowerCase();
}

function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  return "code" in error && typeof error.code === "string" ? error.code : "";
}

function wordingOf(code: string, error: unknown): { reason: FailureReason; text: string } {
  const [reason, text] = wordings[code] ?? [];
  if (reason !== undefined && text !== undefined) return { reason, text };
  const message = error instanceof Error && error.message !== "" ? error.message : String(error);
  if (/^(?:CERT_|UNABLE_TO_|ERR_TLS_CERT|ERR_SSL_TLSV1_ALERT)/.test(code)) {
    return { reason: "untrusted", text: `tls: failed to verify certificate: x509: ${message}` };
  }
  if (code.startsWith("HPE_")) return { reason: "protocol", text: `malformed HTTP response: ${message}` };
  // TLS that meets plain HTTP fails in the handshake, with one of several OpenSSL codes.
  if (code === "EPROTO" || code.startsWith("ERR_SSL_")) return plaintext;
  return { reason: "broken", text: message };
}

const plaintext = { reason: "plaintext", text: "http: server gave HTTP response to HTTPS client" } as const;

const unknownAuthority = "tls: failed to verify certificate: x509: certificate signed by unknown authority";

const wordings: Readonly<Record<string, readonly [FailureReason, string]>> = {
  ENOTFOUND: ["dns", "dial tcp: lookup %h: no such host"],
  EAI_AGAIN: ["dns", "dial tcp: lookup %h: Temporary failure in name resolution"],
  EAI_FAIL: ["dns", "dial tcp: lookup %h: no such host"],
  EAI_NODATA: ["dns", "dial tcp: lookup %h: no such host"],
  EAI_NONAME: ["dns", "dial tcp: lookup %h: no such host"],
  ECONNREFUSED: ["connect", "dial tcp: connect: connection refused"],
  EHOSTUNREACH: ["connect", "dial tcp: connect: no route to host"],
  ENETUNREACH: ["connect", "dial tcp: connect: network is unreachable"],
  EADDRNOTAVAIL: ["connect", "dial tcp: connect: cannot assign requested address"],
  ERR_PROXY_TUNNEL: ["connect", "proxyconnect tcp: the proxy refused the connection"],
  ETIMEDOUT: ["timeout", "dial tcp: i/o timeout"],
  CONNECT_TIMEOUT: ["timeout", "dial tcp: i/o timeout"],
  LOOKUP_TIMEOUT: ["dns", "dial tcp: lookup %h: i/o timeout"],
  HEADERS_TIMEOUT: ["timeout", "net/http: timeout awaiting response headers"],
  STALLED: ["timeout", "the server stopped sending"],
  NOT_TAKEN: ["timeout", "the server stopped reading"],
  ECONNRESET: ["broken", "connection reset by peer"],
  EPIPE: ["broken", "broken pipe"],
  CERT_HAS_EXPIRED: [
    "untrusted",
    "tls: failed to verify certificate: x509: certificate has expired or is not yet valid",
  ],
  CERT_NOT_YET_VALID: [
    "untrusted",
    "tls: failed to verify certificate: x509: certificate has expired or is not yet valid",
  ],
  DEPTH_ZERO_SELF_SIGNED_CERT: ["untrusted", `${unknownAuthority} (self-signed)`],
  SELF_SIGNED_CERT_IN_CHAIN: ["untrusted", `${unknownAuthority} (self-signed in the chain)`],
  UNABLE_TO_GET_ISSUER_CERT: ["untrusted", unknownAuthority],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ["untrusted", unknownAuthority],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ["untrusted", unknownAuthority],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    "untrusted",
    "tls: failed to verify certificate: x509: certificate is valid for other names, not %h",
  ],
};

function remedyOf(reason: FailureReason, host: string, proxied: boolean): string {
  const network = proxied
    ? `Check that the proxy ${host} (HTTP_PROXY, HTTPS_PROXY of the daemon) is the right one and runs.`
    : `Check that the registry runs, this machine's network and the name ${host}; behind a proxy, start the daemon with HTTPS_PROXY set.`;
  if (reason === "untrusted") {
    return (
      `Check this machine's clock; if ${host} has a private authority, put its certificate into ` +
      `/etc/slipway/certs.d/${host}/ca.crt (or the system's store), or list ${host} under insecure-registries.`
    );
  }
  if (reason === "plaintext") {
    return `If ${host} really has no TLS, list it under insecure-registries; otherwise check the port.`;
  }
  if (reason === "broken") {
    return `${host} ended the connection; try again, and check what stands between (proxy, firewall).`;
  }
  return reason === "protocol" ? `What answers at ${host} may be no registry; check the name and the port.` : network;
}
