import { Fault } from "#core/fault";
import type { ContainerSpec } from "../containers.ts";

/** Fault `unsupported` for what a request may say and no code carries out yet: never silence. */
export function refuseNotYet(spec: ContainerSpec): void {
  const { namespaces } = spec;
  const asked: Readonly<Record<string, boolean>> = {
    "--ipc": !["", "private"].includes(namespaces.ipc),
    "--pid": !["", "private"].includes(namespaces.pid),
    "--uts": !["", "private"].includes(namespaces.uts),
    "--cgroupns": !["", "private"].includes(namespaces.cgroup),
    "--userns": !["", "host"].includes(namespaces.user),
    "masked or read-only paths": spec.maskedPaths !== undefined || spec.readonlyPaths !== undefined,
  };
  const flag = Object.entries(asked).find(([, is]) => is)?.[0];
  if (flag !== undefined) throw new Fault("unsupported", `${flag} is not supported yet`);
}
