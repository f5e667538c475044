import { Fault } from "#core/fault";
import type { ContainerSpec, NamespaceModes } from "../containers.ts";
import type { RuntimeLinux } from "./runtime-spec.ts";

/** Which namespaces a container enters instead of getting its own: paths such as `/proc/123/ns/pid`. */
export interface EnteredNamespaces {
  readonly network?: string;
  readonly ipc?: string;
  readonly pid?: string;
  readonly user?: string;
}

/** The other container of `container:NAME`; undefined for every other mode. */
export function joinedContainer(mode: string): string | undefined {
  return mode.startsWith("container:") ? mode.slice("container:".length) : undefined;
}

/** Faults `invalid` in Docker's words: modes that there are not, and options that contradict each other. */
export function checkNamespaces({ namespaces, hostname }: Pick<ContainerSpec, "namespaces" | "hostname">): void {
  const { ipc, pid, uts, cgroup } = namespaces;
  const joins = (mode: string): boolean => (joinedContainer(mode) ?? "") !== "";
  const wrong: [boolean, string][] = [
    [!["", "private", "shareable", "none", "host"].includes(ipc) && !joins(ipc), `invalid IPC mode: ${ipc}`],
    [!["", "private", "host"].includes(pid) && !joins(pid), `invalid PID mode: ${pid}`],
    [!["", "private", "host"].includes(uts), `invalid UTS mode: ${uts}`],
    [!["", "private", "host"].includes(cgroup), `invalid cgroup namespace mode: ${cgroup}`],
    [uts === "host" && hostname !== undefined, "conflicting options: hostname and the UTS mode"],
  ];
  const message = wrong.find(([applies]) => applies)?.[1];
  if (message !== undefined) throw new Fault("invalid", message.slice(0, 200));
}

/** The list of config-linux.md#namespaces: those that it names are made, or entered where there is a path; the others stay the host's. */
export function runtimeNamespaces(modes: NamespaceModes, entered: EnteredNamespaces): RuntimeLinux["namespaces"] {
  const wanted: [string, boolean, string | undefined][] = [
    ["user", entered.user !== undefined, entered.user],
    ["pid", modes.pid !== "host", entered.pid],
    ["ipc", modes.ipc !== "host", entered.ipc],
    ["uts", modes.uts !== "host", undefined],
    ["mount", true, undefined],
    ["cgroup", modes.cgroup !== "host", undefined],
    ["network", entered.network !== undefined, entered.network],
  ];
  return wanted.filter(([, isOwn]) => isOwn).map(([type, , path]) => (path === undefined ? { type } : { type, path }));
}
