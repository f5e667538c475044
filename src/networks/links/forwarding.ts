import type { EventSink } from "#core/event";
import type { Machine } from "#host";
import type { Network } from "../networks.ts";
import type { NetworkPrograms } from "../programs.ts";
import { settingLines } from "./link-commands.ts";

/** Lets the kernel pass packets between the network and others, and tells what it had to change for that. */
export async function forwardPackets(
  {
    programs,
    machine,
    events,
  }: {
    readonly programs: NetworkPrograms;
    readonly machine: Pick<Machine, "ipv4Forwarding">;
    readonly events: EventSink;
  },
  network: Network,
): Promise<void> {
  const tell = (message: string): void => {
    events.emit({ type: "daemon", action: "sysctl", actorId: network.id, attributes: { message } });
  };
  if (network.ipv4 && !machine.ipv4Forwarding) {
    await programs.links(settingLines({ "net/ipv4/ip_forward": "1" }));
    tell("net.ipv4.ip_forward was off; set to 1, as containers reach other networks through this host");
  }
  if (network.ipv6 && !network.internal) await forwardIpv6(programs, tell);
}

async function forwardIpv6(programs: NetworkPrograms, tell: (message: string) => void): Promise<void> {
  if ((await programs.readKernel("net.ipv6.conf.all.forwarding")) === "1") return;
  // A host that forwards stops listening to routers, and would lose its own way out.
  const listening = (await programs.readKernels("net\\.ipv6\\.conf\\..*\\.accept_ra$")).filter(
    ({ value }) => value === "1",
  );
  await programs.links(
    settingLines({
      ...Object.fromEntries(listening.map(({ key }) => [key, "2"])),
      "net/ipv6/conf/all/forwarding": "1",
    }),
  );
  const kept =
    listening.length === 0
      ? ""
      : `; accept_ra set to 2 on ${listening.length} interfaces, so that they keep their routes`;
  tell(`net.ipv6.conf.all.forwarding was off; set to 1, as containers reach other networks through this host${kept}`);
}
