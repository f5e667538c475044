import type { ContainerSpec } from "../containers.ts";
import { type Injection, injectDevices } from "./cdi.ts";
import {
  blockDeviceNumbers,
  defaultDeviceRules,
  hostDevices,
  parseDeviceRule,
  privilegedDeviceRules,
  requestedDevice,
} from "./devices.ts";
import { blockDevicePaths, type BlockDevices } from "./resources.ts";

/** The devices that a container gets, read from the machine as it is at the start. */
export interface ContainerDevices extends Injection {
  readonly blockDevices: BlockDevices;
}

/** Looks up all devices that a container asks for. Faults `invalid`, in Docker's words, for what is not there. */
export async function containerDevices(spec: ContainerSpec, cdiFolders: readonly string[]): Promise<ContainerDevices> {
  const blockDevices = await blockDeviceNumbers(blockDevicePaths(spec.limits));
  const injected = await injectDevices(spec.deviceRequests, cdiFolders);
  // A privileged container has every device already, where the host has it.
  const asked = spec.devices.filter((device) => !spec.privileged || device.hostPath !== device.containerPath);
  const requested = await Promise.all(asked.map(requestedDevice));
  const nodes = [...requested.flatMap((one) => one.nodes), ...injected.nodes];
  if (spec.privileged) {
    return { ...injected, nodes: [...(await hostDevices()), ...nodes], rules: privilegedDeviceRules, blockDevices };
  }
  const rules = [
    ...defaultDeviceRules,
    ...requested.flatMap((one) => one.rules),
    ...injected.rules,
    ...spec.deviceRules.map(parseDeviceRule),
  ];
  return { ...injected, nodes, rules, blockDevices };
}
