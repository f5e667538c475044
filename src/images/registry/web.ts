import { proxyChooser, proxySettings } from "./proxy.ts";
import { openTransport, patience, type Transport } from "./transport.ts";

/** A transport to any web server, with the proxies of that environment and the trust of this machine alone; it is to be closed. */
export function openWeb(environment: Readonly<Record<string, string | undefined>>): Transport {
  return openTransport({ proxyFor: proxyChooser(proxySettings(environment)), certificateFolders: [], patience });
}
