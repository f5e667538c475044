import { Fault, isFault } from "#core/fault";
import type { Address } from "../addresses/address.ts";
import type { NetworkPrograms } from "../programs.ts";
import {
  type BridgePlan,
  type EndpointPlan,
  hostLines,
  insideLines,
  insideSettings,
  netnsLine,
  routeLine,
  settingLines,
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

/**
 * Makes the links of all plugs, and gives each its place inside. Leaves to the caller what it made when it fails. Fault
 * `exhausted` when a bridge has no port left.
 */
export async function plugIn(programs: NetworkPrograms, plugs: readonly Plug[]): Promise<void> {
  const onHost = plugs.flatMap(({ plan, bridge, pid }) => hostLines(plan, bridge, pid));
  try {
    await programs.links([...onHost, ...plugs.flatMap(linesInside)]);
  } catch (error) {
    if (!isFault(error, "exhausted")) throw error;
    const names = new Set(plugs.map(({ bridge }) => bridge.name));
    const message = `the bridge ${[...names].join(" or ")} has no port left: a bridge of this kernel takes 1023 containers`;
    throw new Fault("exhausted", message, {
      cause: error,
      remedy: "Stop containers that are not needed, or run some in other networks.",
    });
  }
}

function linesInside({ plan, bridge, pid, gateway4, gateway6, settings = {} }: Plug): string[] {
  const routes = [gateway4, gateway6].flatMap((gateway) =>
    gateway === undefined ? [] : routeLine({ family: gateway.family, gateway }, plan.interface),
  );
  return [
    netnsLine(pid),
    ...settingLines({ ...insideSettings(plan), ...settings }),
    ...insideLines(plan, bridge),
    ...routes,
  ];
}
