import { parseAddress } from "./address.ts";
import { reportEndpoint } from "./network-events.ts";
import { type Wiring, publicationsOf } from "./wiring.ts";

/**
 * Undoes a container's attachment, whose namespace is gone or about to go; quiet when there is none. When the firewall
 * cannot be changed the address stays reserved: nobody else shall get this container's traffic.
 */
export async function release(wiring: Wiring, containerId: string): Promise<void> {
  const { records, firewall, departures, programs, held, events } = wiring;
  const record = records.endpointOf(containerId);
  if (record === undefined) return;
  records.removeEndpoint(containerId);
  const holds = held.get(containerId) ?? [];
  held.delete(containerId);
  const publications = publicationsOf(record);
  try {
    if (publications.length > 0) await firewall.withdraw(publications);
  } finally {
    await Promise.all(holds.map(async (hold) => await hold[Symbol.asyncDispose]()));
    reportEndpoint(events, "disconnect", record);
  }
  if (record.place === undefined) return;
  if (publications.some(({ protocol }) => protocol === "udp")) {
    await programs.forgetConnections("-p", "udp", "--reply-src", record.place.address);
  }
  const address = parseAddress(record.place.address);
  if (address !== undefined) departures.add(record.place.link, address);
}
