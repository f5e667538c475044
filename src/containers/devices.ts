import type { DeviceRule } from "./runtime-spec.ts";

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
