import { type EndpointPolicy, type Endpoint, mayBeInsecure } from "./endpoint.ts";
import { readStart } from "./body.ts";
import { parseChallenges } from "./challenge.ts";
import { anonymous, basic, type Credentials } from "./credentials.ts";
import { RegistryFault } from "./failure.ts";
import { shown } from "./network-failure.ts";
import { sendFollowing } from "./redirect.ts";
import { statusFailure } from "./status-failure.ts";
import type { TokenRequest, Tokens } from "./token.ts";
import type { Answer, Method, StreamedBody, Transport } from "./transport.ts";

/** One request of the distribution API. */
export interface ApiRequest {
  readonly method: Method;
  /** From `/v2/` on, with query; or a whole address that the registry gave, which may be on another host: that is shown no credentials. */
  readonly path: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: StreamedBody;
  /** The path of another repository that the request reads from too. */
  readonly alsoPull?: string;
  /** Statuses that are answers; all others become RegistryFaults. */
  readonly wanted: readonly number[];
}

/** Talks to one endpoint as one user for one scope. */
export interface Session {
  readonly endpoint: Endpoint;
  send(request: ApiRequest, signal: AbortSignal): Promise<Answer>;
}

/** What a session is built from. */
export interface SessionOptions {
  readonly transport: Transport;
  readonly tokens: Tokens;
  readonly policy: EndpointPolicy;
  readonly nowMs: () => number;
  readonly endpoint: Endpoint;
  readonly credentials: Credentials;
  /** Such as `repository:library/busybox:pull`; empty: none. */
  readonly scope: string;
  /** Given by a login, which asks for a lasting token and always asks anew. */
  readonly takeIdentity?: (token: string) => void;
}

/** Opens a session; nothing is sent before the first request. Credentials are shown only when the registry itself (not a redirect's target) asks for them. */
export function openSession(options: SessionOptions): Session {
  const credentials = options.endpoint.mirror ? anonymous : options.credentials;
  let demand: Demand | undefined;
  return {
    endpoint: options.endpoint,
    async send(request, signal) {
      const asked = demand;
      const first = await exchange(options, request, await headerFor(options.tokens, asked, request, signal), signal);
      if (!isChallenge(first, options.endpoint)) return accepted(first, request, options);
      const refused = await failureOf(first, options);
      demand = demandOf(first, options, credentials);
      if (demand === undefined) throw refused;
      if (asked?.kind === "basic" || asked?.kind === "fixed") throw rejected(refused, options);
      if (asked?.kind === "token") options.tokens.drop(scoped(asked.request, request));
      const again = await exchange(options, request, await headerFor(options.tokens, demand, request, signal), signal);
      if (isChallenge(again, options.endpoint)) {
        const failure = await failureOf(again, options);
        throw credentials.kind === "anonymous" ? failure : rejected(failure, options);
      }
      return accepted(again, request, options);
    },
  };
}

/** What the registry wants to see with every request. */
type Demand =
  | { readonly kind: "basic" | "fixed"; readonly header: string }
  | { readonly kind: "token"; readonly request: TokenRequest };

async function exchange(
  options: SessionOptions,
  request: ApiRequest,
  authorization: string | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  const { endpoint, policy, transport } = options;
  const url = new URL(request.path, endpoint.origin);
  const isOwn = url.origin === endpoint.origin.origin;
  if (!isOwn) refuseStrange(url, endpoint, policy);
  const headers = { ...request.headers, ...(authorization !== undefined && isOwn && { authorization }) };
  const rules = {
    mayBePlain: (target: URL) => mayBeInsecure(target, policy),
    verifyTls: (target: URL) => !mayBeInsecure(target, policy),
  };
  const verifyTls = isOwn ? endpoint.verifyTls : rules.verifyTls(url);
  const { method, body } = request;
  const sent = { method, url, headers, verifyTls, ...(body !== undefined && { body }) };
  return await sendFollowing(transport, sent, rules, signal);
}

/** Another server that a registry sends us to: as for redirects, never from TLS to none. */
function refuseStrange(url: URL, endpoint: Endpoint, policy: EndpointPolicy): void {
  const isPlain = url.protocol === "http:" && endpoint.origin.protocol === "https:" && !mayBeInsecure(url, policy);
  if (/^https?:$/.test(url.protocol) && url.username === "" && url.password === "" && !isPlain) return;
  throw new RegistryFault(
    "redirect",
    `${endpoint.origin.host} names an address that is not to be used: ${shown(url)}`,
    {
      remedy: `${endpoint.origin.host} is set up wrongly, or something on the way interferes.`,
    },
  );
}

function isChallenge(answer: Answer, endpoint: Endpoint): boolean {
  return answer.status === 401 && answer.url.origin === endpoint.origin.origin;
}

async function headerFor(
  tokens: Tokens,
  demand: Demand | undefined,
  request: ApiRequest,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (demand === undefined) return undefined;
  return demand.kind === "token"
    ? `Bearer ${await tokens.get(scoped(demand.request, request), signal)}`
    : demand.header;
}

function scoped(token: TokenRequest, { alsoPull }: ApiRequest): TokenRequest {
  return alsoPull === undefined ? token : { ...token, scope: `${token.scope} repository:${alsoPull}:pull` };
}

/** The way to satisfy a 401; undefined when we have nothing to show. */
function demandOf(answer: Answer, options: SessionOptions, credentials: Credentials): Demand | undefined {
  const challenges = parseChallenges(answer.headers["www-authenticate"]);
  if (credentials.kind === "registry") return { kind: "fixed", header: `Bearer ${credentials.token}` };
  const bearer = challenges.find((challenge) => challenge.scheme === "bearer");
  const realm = bearer?.parameters.get("realm");
  if (bearer !== undefined && realm !== undefined) {
    const request = { ...tokenRequest(realm, options), credentials };
    return { kind: "token", request: { ...request, service: bearer.parameters.get("service") ?? "" } };
  }
  if (credentials.kind !== "password" || !challenges.some((challenge) => challenge.scheme === "basic"))
    return undefined;
  return { kind: "basic", header: basic(credentials.username, credentials.password) };
}

function tokenRequest(
  realm: string,
  { endpoint, policy, scope, takeIdentity }: SessionOptions,
): Omit<TokenRequest, "credentials"> {
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw new RegistryFault("protocol", `${endpoint.origin.host} names a token server that is no web address`);
  }
  // A registry that is used without TLS anyway may have its token server beside it, on the same host, without TLS too.
  const isBeside = endpoint.origin.protocol === "http:" && url.hostname === endpoint.origin.hostname;
  const insecure = mayBeInsecure(url, policy);
  return {
    realm: url,
    service: "",
    scope,
    verifyTls: !insecure,
    mayBePlain: insecure || isBeside,
    ...(takeIdentity !== undefined && { takeIdentity }),
  };
}

async function accepted(answer: Answer, request: ApiRequest, options: SessionOptions): Promise<Answer> {
  if (request.wanted.includes(answer.status)) return answer;
  throw await failureOf(answer, options);
}

async function failureOf(answer: Answer, options: SessionOptions): Promise<RegistryFault> {
  // What a redirect's target says is not the registry's word, and may be a page from inside our network.
  const isOwn = answer.url.origin === options.endpoint.origin.origin;
  const body = isOwn ? await readStart(answer.body, 16_384) : "";
  if (!isOwn) answer.discard();
  return statusFailure({ status: answer.status, headers: answer.headers, body }, answer.url.host, options.nowMs());
}

function rejected(failure: RegistryFault, options: SessionOptions): RegistryFault {
  const host = options.endpoint.origin.host;
  return new RegistryFault("denied", failure.message, {
    code: "rejected",
    cause: failure,
    remedy: `${host} does not accept these credentials for this: check them with \`docker login\`.`,
  });
}
