import { type Address, formatAddress } from "../addresses/address.ts";
import type { Way } from "../drivers/driver.ts";
import type { NetworkPrograms } from "../programs.ts";
import {
  type BridgePlan,
  type EndpointPlan,
  hostLines,
  insideLines,
  insideSettings,
  linkArguments,
} from "./link-commands.ts";

/** An endpoint that is to be made, and in whose namespace. */
export interface Plug {
  readonly plan: EndpointPlan;
  readonly bridge: BridgePlan;
  /** A process in the namespace. */
  readonly pid: number;
  /** Where the default route of that family goes by this endpoint. */
  readonly gateway4?: Address | undefined;
  readonly gateway6?: Address | undefined;
  /** More kernel settings of the interface. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Makes the links of all plugs by one `ip` on the host, then gives each its place inside. Leaves to the caller what it made when it fails. */
export async function plugIn(programs: NetworkPrograms, plugs: readonly Plug[]): Promise<void> {
  await programs.ip(plugs.flatMap(({ plan, bridge, pid }) => hostLines(plan, bridge, pid)));
  await Promise.all(plugs.map(async (plug) => await configure(programs, plug)));
}

async function configure(programs: NetworkPrograms, plug: Plug): Promise<void> {
  const { plan, bridge, gateway4, gateway6, settings = {} } = plug;
  const netns = netnsOf(plug.pid);
  const words = bridge.ipv4 === undefined ? undefined : linkArguments(plan, bridge.ipv4, gateway4);
  if (words !== undefined && Object.keys(settings).length === 0) {
    await programs.linkInside(netns, words);
    return;
  }
  await programs.setKernel({ ...insideSettings(plan), ...settings }, netns);
  const routes = [gateway4, gateway6].flatMap((gateway) =>
    gateway === undefined ? [] : routeLine({ family: gateway.family, gateway }, plan.interface),
  );
  await programs.ipInside(netns, [...insideLines(plan, bridge), ...routes]);
}

/** The line of `ip -batch` that leads everything by a gateway, or by the interface itself. */
export function routeLine({ family, gateway }: Way, link: string): string {
  if (gateway === undefined) return `route replace ${family === 4 ? "0.0.0.0/0" : "::/0"} dev ${link}`;
  return `route replace default via ${formatAddress(gateway)} dev ${link}`;
}

export function netnsOf(pid: number): string {
  return `/proc/${pid}/ns/net`;
}
