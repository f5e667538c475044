import { hostSet, isLoopback } from "./address.ts";

/** The environment's word on proxies, by the names that everybody uses (lower-case ones win, as in curl). */
export interface ProxySettings {
  readonly http?: string;
  readonly https?: string;
  /** Comma-separated: `*`, names (which cover what is below them), name:port, addresses, CIDRs. */
  readonly no?: string;
}

/** Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY. */
export function proxySettings(environment: Readonly<Record<string, string | undefined>>): ProxySettings {
  const pick = (name: string) => environment[name.toLowerCase()] || environment[name] || undefined;
  const [http, https, no] = [pick("HTTP_PROXY"), pick("HTTPS_PROXY"), pick("NO_PROXY")];
  return {
    ...(http !== undefined && { http }),
    ...(https !== undefined && { https }),
    ...(no !== undefined && { no }),
  };
}

/** Decides which proxy, if any, a URL goes through. Loopback never does. Node's own NO_PROXY knows no CIDR, so the decision is ours. */
export function proxyChooser(settings: ProxySettings): (url: URL) => URL | undefined {
  const entries = (settings.no ?? "").split(",").map((entry) => entry.trim());
  const direct = hostSet(entries, { suffixes: true });
  const [http, https] = [proxyUrl(settings.http), proxyUrl(settings.https)];
  return (url) => {
    if (isLoopback(url) || entries.includes("*") || direct.has(url)) return undefined;
    return url.protocol === "https:" ? https : http;
  };
}

function proxyUrl(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined;
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  return URL.canParse(full) ? new URL(full) : undefined;
}
