import { RegistryFault } from "./failure.ts";
import { shown } from "./network-failure.ts";
import type { Answer, Exchange, Transport } from "./transport.ts";

/** What a redirect may lead to. */
export interface RedirectRules {
  /** Whether that server may be spoken to without TLS when we came from a TLS one. */
  mayBePlain(url: URL): boolean;
  verifyTls(url: URL): boolean;
}

/** Sends the request and follows up to five redirects: of GET and HEAD all, of what changes something those that keep method and body (307, 308), of a POST with a body (which is a secret) none. Credentials are left behind when a redirect leaves the server (scheme, host or port) that they were for. */
export async function sendFollowing(
  transport: Transport,
  first: Exchange,
  rules: RedirectRules,
  signal: AbortSignal,
): Promise<Answer> {
  let exchange = first;
  for (let count = 0; ; count += 1) {
    const answer = await transport.send(exchange, signal);
    if (!redirects.has(answer.status) || !mayFollow(exchange, answer.status)) return answer;
    answer.discard();
    if (count === maxRedirects) throw refusal(first.url, `stopped after ${maxRedirects} redirects`);
    exchange = nextExchange(exchange, answer.headers.location, rules);
  }
}

function mayFollow({ method, body }: Exchange, status: number): boolean {
  if (method === "GET" || method === "HEAD") return true;
  return status >= 307 && !(method === "POST" && body !== undefined);
}

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const maxRedirects = 5;

function nextExchange(exchange: Exchange, location: string | undefined, rules: RedirectRules): Exchange {
  const from = exchange.url;
  if (location === undefined || !URL.canParse(location, from)) throw refusal(from, "redirect to nowhere");
  const url = new URL(location, from);
  if (!/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw refusal(from, "redirect to something that is no plain web address");
  }
  if (from.protocol === "https:" && url.protocol === "http:" && !rules.mayBePlain(url)) {
    throw refusal(from, `redirect from https to unencrypted ${shown(url)}`);
  }
  if (url.origin === from.origin) return { ...exchange, url };
  const { authorization: _left, ...headers } = exchange.headers ?? {};
  return { ...exchange, url, headers, verifyTls: rules.verifyTls(url) };
}

function refusal(url: URL, why: string): RegistryFault {
  return new RegistryFault("redirect", `Get "${shown(url)}": ${why}`, {
    remedy: `${url.host} is set up wrongly, or something on the way interferes.`,
  });
}
