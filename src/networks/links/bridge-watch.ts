import type { EventSink } from "#core/event";
import type { Log } from "#core/log";
import type { Shim } from "#host";
import { EventWatch } from "../event-watch.ts";
import type { Bridge } from "./bridge.ts";
import { listAddresses, listLinks } from "./host-links.ts";
import { type MendingParts, brokenBridges, mendBridges } from "./mend-bridges.ts";

/** What the watch needs. */
export interface BridgeWatchOptions {
  readonly shim: Pick<Shim, "run">;
  readonly events: EventSink;
  readonly log: Log | undefined;
  /** Asked with the first change: bridges start the watch, so they are there before it. */
  parts(): MendingParts;
}

/**
 * Notices when somebody removes a bridge that is in use, or its addresses, and brings it back with the containers' links. The kernel
 * tells of addresses and of settings that go with a link in a line or two, where of a container's link itself it tells in twenty.
 */
export function bridgeWatch({ shim, events, log, parts }: BridgeWatchOptions): EventWatch {
  return new EventWatch({
    shim,
    argv: ["ip", "-o", "monitor", "address", "netconf"],
    concerns: (line) => {
      const { gone, name } = change.exec(line)?.groups ?? {};
      if (name === undefined) return false;
      // One that is somebody else's may also have come back.
      const bridge = parts().bridges.madeNamed(name);
      return bridge !== undefined && (gone !== undefined || bridge.isForeign);
    },
    look: async () => await look(parts(), (bridge) => tell(bridge, events, log)),
    onTrouble: (error) => log?.warn("bridges are not watched", { error: String(error) }),
  });
}

/** `Deleted 6: slipway0    inet 172.17.0.1/16 …` and `Deleted inet slipway0 `. */
const change = /^(?<gone>Deleted )?(?:\d+:|inet6?) +(?<name>[^ ]+)/;

async function look(parts: MendingParts, mended: (bridge: Bridge) => void): Promise<void> {
  const before = new Set(parts.bridges.made);
  const [links, addresses] = await listSettled(parts);
  // One that was made meanwhile is not in the list yet.
  const broken = brokenBridges(parts, links, addresses).filter((bridge) => before.has(bridge));
  // Whoever made a bridge may be about to make it again.
  const mine = broken.filter((bridge) => !bridge.isForeign || addresses.has(bridge.name));
  if (mine.length > 0) await mendBridges(parts, mine, links);
  // Their networks were removed meanwhile.
  for (const bridge of mine)
    if (bridge.isMade) mended(bridge);
    else await bridge.remove();
}

/** Links and addresses when none of the bridges is being made, as a container that met a missing one has it made. */
async function listSettled({ bridges, programs }: MendingParts) {
  for (;;) {
    await Promise.all(bridges.made.map(async (bridge) => await bridge.settled()));
    const listed = [await listLinks(programs), await listAddresses(programs)] as const;
    if (bridges.made.every(({ isBeingMade }) => !isBeingMade)) return listed;
  }
}

function tell({ name, network }: Bridge, events: EventSink, log: Log | undefined): void {
  log?.warn("somebody removed a bridge, or its addresses; it was brought back", {
    bridge: name,
    network: network.name,
  });
  events.emit({
    type: "daemon",
    action: "bridge",
    actorId: name,
    attributes: { message: "restored", network: network.name },
  });
}
