import { blankSpec } from "../config/blank-spec.ts";
import type { ContainerSpec } from "../containers.ts";

/** A container without a network, as most tests want it. */
export const plainSpec: ContainerSpec = {
  ...blankSpec,
  image: "busybox",
  attach: { stdin: false, stdout: true, stderr: true },
  networkMode: "none",
};
