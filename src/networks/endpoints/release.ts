import { addressFrom } from "../addresses/address.ts";
import { reportEndpoint } from "../network-events.ts";
import { forgetAnswers, withdraw } from "../ports/publish.ts";
import type { EndpointRecord } from "../records.ts";
import type { Wiring } from "../wiring.ts";
import { hasNames, isPlaced } from "./names-of.ts";

/**
 * Undoes a container's attachment, whose namespace is gone or about to go; quiet when there is none. When the firewall
 * cannot be changed the addresses stay reserved: nobody else shall get this container's traffic.
 */
export async function release(wiring: Wiring, containerId: string): Promise<void> {
  const { records, held, events } = wiring;
  const sandbox = records.sandboxOf(containerId);
  if (sandbox === undefined) return;
  records.removeSandbox(containerId);
  const hold = held.get(containerId);
  held.delete(containerId);
  try {
    await withdraw(wiring, sandbox);
  } finally {
    hold?.[Symbol.dispose]();
    if (sandbox.containerName !== "")
      for (const endpoint of sandbox.endpoints) reportEndpoint(events, "disconnect", endpoint);
  }
  if (hasNames(sandbox)) await wiring.resolver.forget(containerId);
  await forgetAnswers(wiring, sandbox);
  for (const endpoint of sandbox.endpoints) depart(wiring, endpoint);
}

/** Its addresses come back when its link is gone. */
export function depart(wiring: Wiring, record: EndpointRecord): void {
  if (!isPlaced(record)) return;
  const { network, link, ipv4, ipv6 } = record;
  const presence = wiring.drivers(network.driver).of(network);
  const addresses = [ipv4, ipv6].flatMap((text) => (text === undefined ? [] : [addressFrom(text)]));
  whenGone(wiring, link, () => presence.addresses.free(...addresses));
}

/** Until a link is gone packets may still come. One without an end on the host goes with its namespace, unseen: at once. */
export function whenGone({ departures }: Pick<Wiring, "departures">, link: string, free: () => void): void {
  if (link === "") free();
  else departures.add(link, free);
}
