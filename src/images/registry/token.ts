import { Fault } from "#core/fault";
import { isLoopback } from "./address.ts";
import { readBody, readStart } from "./body.ts";
import { basic, type Credentials, fingerprint } from "./credentials.ts";
import { RegistryFault } from "./failure.ts";
import { shown } from "./network-failure.ts";
import { sendFollowing } from "./redirect.ts";
import { statusFailure } from "./status-failure.ts";
import type { Exchange, Transport } from "./transport.ts";

/** What a registry's Bearer challenge asks us to get, and for what. */
export interface TokenRequest {
  readonly realm: URL;
  readonly service: string;
  /** Our own wish (`repository:library/x:pull`, several with spaces between; empty: to be known, no more), never the registry's: it must not talk us into a mightier token. */
  readonly scope: string;
  readonly credentials: Credentials;
  /** Whether the realm's certificate is checked. */
  readonly verifyTls: boolean;
  /** Whether the user said that this registry needs no TLS; else secrets never go out in the clear. */
  readonly mayBePlain: boolean;
  /** Asks for a refresh token too (`offline_token`), and is given it. */
  readonly takeIdentity?: (token: string) => void;
}

/** Bearer tokens by realm, service, scope and credentials, each until shortly before its end. Kept in memory alone. */
export interface Tokens {
  get(request: TokenRequest, signal: AbortSignal): Promise<string>;
  /** Forgets a token that was refused. */
  drop(request: TokenRequest): void;
}

/** Opens the token cache; at most 256 tokens are kept. */
export function openTokens(transport: Transport, nowMs: () => number): Tokens {
  const kept = new Map<string, { readonly token: string; readonly untilMs: number }>();
  return {
    async get(request, signal) {
      const key = keyOf(request);
      const known = kept.get(key);
      const isLogin = request.takeIdentity !== undefined;
      if (known !== undefined && known.untilMs > nowMs() && !isLogin) return known.token;
      const fresh = await fetchToken(transport, request, nowMs, signal);
      kept.delete(key);
      kept.set(key, fresh);
      const [oldest] = kept.keys();
      if (kept.size > 256 && oldest !== undefined) kept.delete(oldest);
      return fresh.token;
    },
    drop(request) {
      kept.delete(keyOf(request));
    },
  };
}

function keyOf(request: TokenRequest): string {
  return JSON.stringify([request.realm.href, request.service, request.scope, fingerprint(request.credentials)]);
}

async function fetchToken(
  transport: Transport,
  request: TokenRequest,
  nowMs: () => number,
  signal: AbortSignal,
): Promise<{ token: string; untilMs: number }> {
  refuseLeak(request);
  const rules = { mayBePlain: () => request.mayBePlain, verifyTls: () => request.verifyTls };
  const answer = await sendFollowing(transport, exchangeOf(request), rules, signal);
  if (answer.status !== 200) {
    const body = await readStart(answer.body, 16_384);
    throw refused(
      request,
      statusFailure({ status: answer.status, headers: answer.headers, body }, request.realm.host, nowMs()),
    );
  }
  const text = (await readBody(answer.body, 1024 * 1024, "the answer of the token server")).toString("utf8");
  return tokenIn(text, request, nowMs());
}

function refused(request: TokenRequest, failure: RegistryFault): RegistryFault {
  if (failure.reason !== "denied" || request.credentials.kind === "anonymous") return failure;
  return new RegistryFault("denied", failure.message, {
    code: "rejected",
    cause: failure,
    remedy: `${request.realm.host} does not accept these credentials: run \`docker login\` again.`,
  });
}

/** Registries show it where they list who got tokens. */
const clientId = "slipway";

function exchangeOf({ realm, service, scope, credentials, verifyTls, takeIdentity }: TokenRequest): Exchange {
  if (credentials.kind === "identity") {
    const form = {
      grant_type: "refresh_token",
      service,
      client_id: clientId,
      ...(scope !== "" && { scope }),
      refresh_token: credentials.token,
    };
    const headers = { "content-type": "application/x-www-form-urlencoded", accept: "application/json" };
    return { method: "POST", url: realm, headers, body: new URLSearchParams(form).toString(), verifyTls };
  }
  const url = new URL(realm);
  if (service !== "") url.searchParams.set("service", service);
  for (const each of scope.split(" ")) if (each !== "") url.searchParams.append("scope", each);
  if (credentials.kind !== "password")
    return { method: "GET", url, headers: { accept: "application/json" }, verifyTls };
  url.searchParams.set("account", credentials.username);
  if (takeIdentity !== undefined) {
    url.searchParams.set("client_id", clientId);
    url.searchParams.set("offline_token", "true");
  }
  const authorization = basic(credentials.username, credentials.password);
  return { method: "GET", url, headers: { accept: "application/json", authorization }, verifyTls };
}

/** A registry behind TLS could name a realm without it and have the password sent for all to hear. */
function refuseLeak(request: TokenRequest): void {
  const hasSecret = request.credentials.kind !== "anonymous";
  if (!hasSecret || request.realm.protocol === "https:" || request.mayBePlain || isLoopback(request.realm)) return;
  throw new Fault(
    "forbidden",
    `the registry asks for the credentials to be sent unencrypted to ${shown(request.realm)}`,
    {
      remedy: `If that is wanted, list ${request.realm.host} under insecure-registries.`,
    },
  );
}

function tokenIn(text: string, request: TokenRequest, nowMs: number): { token: string; untilMs: number } {
  const document = parsed(text);
  const token = document["token"] || document["access_token"];
  const identity = document["refresh_token"];
  if (typeof identity === "string" && identity !== "") request.takeIdentity?.(identity);
  if (typeof token !== "string" || token === "" || !/^[\u0021-\u007e]+$/.test(token)) {
    throw new RegistryFault(
      "protocol",
      `authorization server ${request.realm.host} did not include a token in the response`,
    );
  }
  // The distribution token specification: 60 seconds when not said; never trusted for longer than an hour.
  const said = document["expires_in"];
  const lifeSeconds = typeof said === "number" && said > 0 ? Math.min(said, 3600) : 60;
  return { token, untilMs: nowMs + lifeSeconds * 900 };
}

function parsed(text: string): Record<string, unknown> {
  try {
    const document: unknown = JSON.parse(text);
    return typeof document === "object" && document !== null ? (document as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
