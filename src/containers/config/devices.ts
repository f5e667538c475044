import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
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

/** A privileged container may use every device. */
export const privilegedDeviceRules: readonly DeviceRule[] = [{ allow: true, access: "rwm" }];

/** The host's device nodes, for a privileged container; terminals and what the container has of its own are left out. */
export async function hostDevices(folder = "/dev"): Promise<RuntimeDevice[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const found = entries
    .filter((entry) => !own.has(entry.name))
    .map(async (entry): Promise<RuntimeDevice[]> => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return await hostDevices(path);
      if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
      const facts = await stat(path).catch(() => undefined);
      if (facts === undefined) return [];
      const type = entry.isBlockDevice() ? "b" : "c";
      return [
        { path, type, ...deviceNumber(facts.rdev), fileMode: facts.mode & 0o7777, uid: facts.uid, gid: facts.gid },
      ];
    });
  return (await Promise.all(found)).flat();
}

/** The runtime makes these itself, or mounts something of the container's over them. */
const own = new Set(
  "pts shm mqueue fd console ptmx null zero full random urandom tty lxc .lxc .lxd-mounts .udev".split(" "),
);

/** glibc's gnu_dev_major and gnu_dev_minor. */
function deviceNumber(rdev: number): { major: number; minor: number } {
  const number = BigInt(rdev);
  return {
    major: Number(((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn)),
    minor: Number((number & 0xffn) | ((number >> 12n) & 0xffff_ff00n)),
  };
}
