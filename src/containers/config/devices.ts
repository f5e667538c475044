import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#core/fault";
import type { DeviceRequest } from "../containers.ts";
import type { DeviceRule, RuntimeDevice } from "./runtime-spec.ts";

/** The device cgroup of an ordinary container: nothing but the harmless devices, its terminals, and making (not opening) nodes. */
export const defaultDeviceRules: readonly DeviceRule[] = [
  { allow: false, access: "rwm" },
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  ...(
    [
      [1, 3], // null
      [1, 5], // zero
      [1, 7], // full
      [1, 8], // random
      [1, 9], // urandom
      [5, 0], // tty
      [5, 1], // console
      [5, 2], // ptmx
    ] as const
  ).map(([major, minor]): DeviceRule => ({ allow: true, type: "c", major, minor, access: "rwm" })),
  { allow: true, type: "c", major: 136, access: "rwm" }, // pts/*
];

/** Nodes to make in a container, and what it may do with them. */
export interface DeviceAccess {
  readonly nodes: readonly RuntimeDevice[];
  readonly rules: readonly DeviceRule[];
}

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** What `--device` asks for: a device, or all that a folder holds. Fault `invalid` in Docker's words when there is none. */
export async function requestedDevice({ hostPath, containerPath, permissions }: DeviceRequest): Promise<DeviceAccess> {
  const path = await realpath(hostPath).catch(() => hostPath);
  const nodes = await nodesAt(path, containerPath);
  if (nodes.length === 0) {
    const isThere = (await stat(path).catch(() => undefined)) !== undefined;
    throw new Fault(
      "invalid",
      `error gathering device information while adding custom device ${JSON.stringify(hostPath)}: ` +
        (isThere ? "not a device node" : "no such file or directory"),
    );
  }
  const rules = nodes.map(({ type, major, minor }): DeviceRule => ({
    allow: true,
    type,
    major,
    minor,
    access: permissions,
  }));
  return { nodes, rules };
}

/** `c 1:3 rwm`, `a *:* r`, as `--device-cgroup-rule` has it. Fault `invalid` in Docker's words. */
export function parseDeviceRule(text: string): DeviceRule {
  const [, type, major, minor, access] = /^([acb]) ([0-9]{1,9}|\*):([0-9]{1,9}|\*) ([rwm]{1,3})$/.exec(text) ?? [];
  if (type === undefined || access === undefined) {
    throw new Fault("invalid", `invalid device cgroup rule format: '${text.slice(0, 100)}'`, {
      remedy: "Write TYPE MAJOR:MINOR ACCESS, such as 'c 189:* rmw'.",
    });
  }
  return {
    allow: true,
    type: type as "a" | "b" | "c",
    ...(major !== "*" && { major: Number(major) }),
    ...(minor !== "*" && { minor: Number(minor) }),
    access,
  };
}

/** The numbers of the block devices at these paths. Fault `invalid` for one that is not there. */
export async function blockDeviceNumbers(paths: readonly string[]): Promise<ReadonlyMap<string, DeviceNumber>> {
  const numbers = new Map<string, DeviceNumber>();
  for (const path of paths) {
    const facts = await stat(path).catch(() => undefined);
    if (facts === undefined) throw new Fault("invalid", `stat ${path}: no such file or directory`);
    if (!facts.isBlockDevice()) throw new Fault("invalid", `${path} is not a block device`);
    numbers.set(path, deviceNumber(facts.rdev));
  }
  return numbers;
}

/** A privileged container may use every device. */
export const privilegedDeviceRules: readonly DeviceRule[] = [{ allow: true, access: "rwm" }];

/** The host's device nodes, for a privileged container; terminals and what the container has of its own are left out. */
export async function hostDevices(folder = "/dev"): Promise<RuntimeDevice[]> {
  const names = await readdir(folder).catch(() => []);
  const found = names.filter((name) => !own.has(name)).map(async (name) => await nodesAt(join(folder, name)));
  return (await Promise.all(found)).flat();
}

/** The node at a path, or those in the folder there; none for anything else. */
async function nodesAt(path: string, containerPath = path): Promise<RuntimeDevice[]> {
  const facts = await lstat(path).catch(() => undefined);
  if (facts === undefined) return [];
  if (facts.isDirectory()) {
    const names = (await readdir(path).catch(() => [])).filter((name) => !own.has(name));
    return (
      await Promise.all(names.map(async (name) => await nodesAt(join(path, name), join(containerPath, name))))
    ).flat();
  }
  if (!facts.isCharacterDevice() && !facts.isBlockDevice()) return [];
  const { mode, uid, gid } = facts;
  const type = facts.isBlockDevice() ? "b" : "c";
  return [{ path: containerPath, type, ...deviceNumber(facts.rdev), fileMode: mode & 0o7777, uid, gid }];
}

/** The runtime makes these itself, or mounts something of the container's over them. */
const own = new Set(
  "pts shm mqueue fd console ptmx null zero full random urandom tty lxc .lxc .lxd-mounts .udev".split(" "),
);

/** glibc's gnu_dev_major and gnu_dev_minor. */
function deviceNumber(rdev: number): DeviceNumber {
  const number = BigInt(rdev);
  return {
    major: Number(((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn)),
    minor: Number((number & 0xffn) | ((number >> 12n) & 0xffff_ff00n)),
  };
}
