import { Fault } from "#core/fault";
import { shown } from "./registry/network-failure.ts";
import { proxyChooser, proxySettings } from "./registry/proxy.ts";
import { sendFollowing } from "./registry/redirect.ts";
import { type Answer, openTransport, patience } from "./registry/transport.ts";

/** Fetches by URL, with the proxies, trust, patience and redirects that registries are spoken to with. */
export interface Web {
  /** Fault `unavailable`, or `notFound` where the server says so, for an answer that is no success. */
  get(url: URL, signal: AbortSignal): Promise<Answer>;
  /** Closes the kept connections. */
  close(): void;
}

/** Opens it; the environment's proxies are used. */
export function openWeb(environment: Readonly<Record<string, string | undefined>>): Web {
  const proxyFor = proxyChooser(proxySettings(environment));
  const transport = openTransport({ proxyFor, certificateFolders: [], patience });
  const rules = { mayBePlain: () => false, verifyTls: () => true };
  return {
    async get(url, signal) {
      const answer = await sendFollowing(transport, { method: "GET", url, verifyTls: true }, rules, signal);
      if (answer.status >= 200 && answer.status < 300) return answer;
      answer.discard();
      const kind = answer.status === 404 || answer.status === 410 ? "notFound" : "unavailable";
      throw new Fault(kind, `invalid response status ${answer.status}: ${shown(url)}`);
    },
    close: () => transport.close(),
  };
}
