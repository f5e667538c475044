import { Fault } from "#core/fault";
import type { NetworkDriver } from "../networks.ts";
import { BridgeDriver, type BridgeDriverParts } from "./bridge-driver.ts";
import { type Driver, isAlone } from "./driver.ts";
import { ParentDriver, type ParentDriverParts } from "./parent-driver.ts";

/** The driver of that name; `host` and `null` make nothing, and have none. */
export type Drivers = (name: NetworkDriver) => Driver;

/** All drivers over the parts of the room. */
export function openDrivers(parts: BridgeDriverParts & ParentDriverParts): Drivers {
  const all = {
    bridge: new BridgeDriver(parts),
    macvlan: new ParentDriver("macvlan", parts),
    ipvlan: new ParentDriver("ipvlan", parts),
  };
  return (name) => {
    if (isAlone(name)) throw new Fault("internal", `the driver ${name} makes no networks`);
    return all[name];
  };
}
