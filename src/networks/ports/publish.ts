import type { Publication } from "../firewall/ruleset.ts";
import type { Sandbox } from "../records.ts";
import type { Wiring } from "../wiring.ts";
import { connectivityFault } from "./connectivity-fault.ts";
import { publicationsOf } from "./publications.ts";

/** Leads a container's published ports to it. The records have it already. */
export async function publish(wiring: Wiring, sandbox: Sandbox): Promise<void> {
  const publications = publicationsOf(sandbox);
  if (publications.length === 0) return;
  try {
    await wiring.firewall.publish(publications);
    await forgetSenders(wiring, publications);
  } catch (error) {
    throw connectivityFault(sandbox.containerName, sandbox.endpoints[0]?.endpointId ?? "", error);
  }
}

/** Takes a container's published ports back. The records no longer have it. */
export async function withdraw(wiring: Wiring, sandbox: Sandbox): Promise<void> {
  const publications = publicationsOf(sandbox);
  if (publications.length > 0) await wiring.firewall.withdraw(publications);
}

/** After the last packet: connections to addresses that are nobody's now. */
export async function forgetAnswers({ programs }: Wiring, sandbox: Sandbox): Promise<void> {
  const addresses = publicationsOf(sandbox).filter(({ protocol }) => protocol === "udp");
  for (const address of new Set(addresses.map(({ containerIp }) => containerIp))) {
    await programs.forgetConnections(...familyOf(address), "-p", "udp", "--reply-src", address);
  }
}

/** The container answers by another address now. */
export async function republish(wiring: Wiring, before: Sandbox, after: Sandbox): Promise<void> {
  const [old, fresh] = [publicationsOf(before), publicationsOf(after)];
  if (JSON.stringify(old) === JSON.stringify(fresh)) return;
  try {
    await wiring.firewall.republish(old, fresh);
    await forgetSenders(wiring, fresh);
  } catch (error) {
    throw connectivityFault(after.containerName, after.endpoints[0]?.endpointId ?? "", error);
  }
}

/** A client that has been sending all along would keep its old way, past the container; but for what the monitor relays there is one way alone. */
async function forgetSenders({ programs }: Wiring, publications: readonly Publication[]): Promise<void> {
  for (const { protocol, hostPort, hostIp, containerIp } of publications) {
    if (protocol !== "udp" || hostPort === 0 || familyOf(hostIp)[1] !== familyOf(containerIp)[1]) continue;
    await programs.forgetConnections(...familyOf(hostIp), "-p", "udp", "--orig-port-dst", String(hostPort));
  }
}

function familyOf(address: string): string[] {
  return ["-f", address.includes(":") ? "ipv6" : "ipv4"];
}
