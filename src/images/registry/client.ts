import type { Clock } from "#core/clock";
import type { Reference } from "#core/reference";
import type { RegistryAuth } from "../images.ts";
import { hostSet } from "./address.ts";
import { credentialsOf } from "./credentials.ts";
import { type EndpointPolicy, endpointsOf, parseMirror } from "./endpoint.ts";
import { logIn } from "./login.ts";
import { proxyChooser, proxySettings } from "./proxy.ts";
import { openRepository, type Repository } from "./repository.ts";
import { openRoute } from "./route.ts";
import { openSession } from "./session.ts";
import { openTarget, type Target } from "./target.ts";
import { openTokens } from "./token.ts";
import { openTransport, patience, type Patience } from "./transport.ts";

/** The client of all registries: connections, tokens and settings that repositories share. */
export interface RegistryClient extends Disposable {
  /** A repository as that user sees it; nothing is sent yet. */
  repository(reference: Pick<Reference, "domain" | "path">, auth?: RegistryAuth): Repository;
  /** A repository to push to, as that user: the registry itself, never a mirror; nothing is sent yet. */
  target(reference: Pick<Reference, "domain" | "path">, auth?: RegistryAuth): Target;
  /** Shows the credentials to a registry (never to a mirror of it); answers the lasting token that its token server gives for them, if it does. Fault `unauthorized` when they are refused. */
  logIn(domain: string, auth: RegistryAuth, signal: AbortSignal): Promise<string | undefined>;
}

/** What the client is built from. */
export interface RegistryClientOptions {
  readonly clock: Clock;
  /** Hosts, host:ports, addresses and CIDRs that may be spoken to without TLS; loopback always may. */
  readonly insecureRegistries: readonly string[];
  /** Mirrors of docker.io. Fault `invalid` at opening when one is malformed. */
  readonly registryMirrors: readonly string[];
  /** For HTTP_PROXY and its kin. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly certificateFolders?: readonly string[];
  readonly patience?: Patience;
  /** The first wait before small requests are tried again; doubles. */
  readonly retryDelayMs?: number;
}

/** Opens the client; disposing it closes its connections. */
export function openRegistryClient(options: RegistryClientOptions): RegistryClient {
  const policy: EndpointPolicy = {
    insecure: hostSet(options.insecureRegistries),
    mirrors: options.registryMirrors.map(parseMirror),
  };
  const transport = openTransport({
    proxyFor: proxyChooser(proxySettings(options.environment)),
    certificateFolders: options.certificateFolders ?? ["/etc/slipway/certs.d", "/etc/docker/certs.d"],
    patience: options.patience ?? patience,
  });
  const nowMs = () => Number(options.clock.now() / 1_000_000n);
  const tokens = openTokens(transport, nowMs);
  return {
    repository({ domain, path }, auth) {
      const shared = { transport, tokens, policy, nowMs, credentials: credentialsOf(auth) };
      const scope = `repository:${path}:pull`;
      const sessions = endpointsOf(domain, policy).map((endpoint) => openSession({ ...shared, endpoint, scope }));
      return openRepository(openRoute(sessions, options.retryDelayMs ?? 250), path);
    },
    target({ domain, path }, auth) {
      const shared = { transport, tokens, policy, nowMs, credentials: credentialsOf(auth) };
      const scope = `repository:${path}:pull,push`;
      const sessions = endpointsOf(domain, policy)
        .filter((endpoint) => !endpoint.mirror)
        .map((endpoint) => openSession({ ...shared, endpoint, scope }));
      return openTarget(openRoute(sessions, options.retryDelayMs ?? 250), path);
    },
    async logIn(domain, auth, signal) {
      let identity: string | undefined;
      const shared = { transport, tokens, policy, nowMs, credentials: credentialsOf(auth), scope: "" };
      const takeIdentity = (token: string): void => void (identity = token);
      const sessions = endpointsOf(domain, policy)
        .filter((endpoint) => !endpoint.mirror)
        .map((endpoint) => openSession({ ...shared, endpoint, takeIdentity }));
      await logIn(openRoute(sessions, options.retryDelayMs ?? 250), signal);
      return identity;
    },
    [Symbol.dispose]: () => transport.close(),
  };
}
