import type { Clock } from "#core/clock";
import type { EventSink } from "#core/event";
import type { Locks } from "#core/locks";
import type { Log } from "#core/log";
import type { Paths, Shim } from "#host";
import type { VolumeDriver } from "./driver.ts";
import type { LocalDriver } from "./local.ts";
import type { Plugins } from "./plugins/plugins.ts";
import type { VolumeRecord, VolumeRecords } from "./records.ts";

/** What the actions of this room share. */
export interface Wiring {
  readonly records: VolumeRecords;
  readonly local: LocalDriver;
  readonly plugins: Plugins;
  /** One change of a volume at a time. */
  readonly locks: Locks;
  /** How many containers are being made with a volume, by its name. */
  readonly leases: Map<string, number>;
  readonly shim: Shim;
  readonly paths: Paths;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly log: Log | undefined;
}

/** Fault `notFound` when there is no such plugin (any more). */
export async function driverOf(wiring: Wiring, name: string): Promise<VolumeDriver> {
  return name === wiring.local.name ? wiring.local : await wiring.plugins.driver(name);
}

/** Tells what happened to a volume, with Docker's attributes. */
export function report(
  { events }: Pick<Wiring, "events">,
  action: "create" | "destroy" | "mount" | "unmount",
  { name, driver }: Pick<VolumeRecord, "name" | "driver">,
  attributes: Readonly<Record<string, string>> = {},
): void {
  events.emit({ type: "volume", action, actorId: name, attributes: { driver, ...attributes } });
}
