import { Fault } from "#core/fault";
import type { ContainerSpec } from "../containers.ts";
import { parseNetworkMode } from "./network-mode.ts";

/**
 * Only kernel parameters that belong to a namespace of the container's own may be set: others would be the whole machine's.
 * Fault `invalid` in the words of runc, which Docker hands on.
 */
export function checkSysctls(spec: Pick<ContainerSpec, "sysctls" | "namespaces" | "networkMode">): void {
  for (const [name, value] of Object.entries(spec.sysctls)) {
    const shown = JSON.stringify(name.slice(0, 100));
    if (!/^[a-zA-Z0-9_@:-]+(?:[./][a-zA-Z0-9_@:-]+)+$/.test(name)) {
      throw new Fault("invalid", `sysctl ${shown} is not a kernel parameter's name`);
    }
    if (/[\0\n]/.test(value)) throw new Fault("invalid", `the value of sysctl ${shown} holds a line break`);
    const dotted = withDots(name);
    if (ipcNames.has(dotted) || dotted.startsWith("fs.mqueue.")) {
      if (spec.namespaces.ipc === "host") {
        throw new Fault("invalid", `sysctl ${shown} is not allowed in the hosts ipc namespace`);
      }
    } else if (dotted.startsWith("net.")) {
      if (parseNetworkMode(spec.networkMode).kind === "host") {
        throw new Fault("invalid", `sysctl ${shown} not allowed in host network namespace`);
      }
    } else if (dotted === "kernel.domainname") {
      if (spec.namespaces.uts === "host") throw notOwn(shown);
    } else if (dotted === "kernel.hostname") {
      throw new Fault("invalid", `sysctl ${shown} is not allowed as it conflicts with the OCI "hostname" field`, {
        remedy: "Use --hostname.",
      });
    } else throw notOwn(shown);
  }
}

/** Those of a network as files below `/proc/sys`, and the rest as they were. */
export function splitSysctls(sysctls: ContainerSpec["sysctls"]): {
  readonly network: readonly { readonly path: string; readonly value: string }[];
  readonly others: ContainerSpec["sysctls"];
} {
  const isNetwork = ([name]: [string, string]): boolean => withDots(name).startsWith("net.");
  const all = Object.entries(sysctls);
  const swap = (name: string): string => name.replace(/[./]/g, (mark) => (mark === "." ? "/" : "."));
  return {
    network: all.filter(isNetwork).map(([name, value]) => ({ path: swap(withDots(name)), value })),
    others: Object.fromEntries(all.filter((entry) => !isNetwork(entry))),
  };
}

const ipcNames = new Set(
  "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced".split(
    " ",
  ),
);

/** sysctl(8)'s two ways: what comes first, dot or slash, separates. */
function withDots(name: string): string {
  const slash = name.indexOf("/");
  const dot = name.indexOf(".");
  const bySlash = slash >= 0 && (dot < 0 || slash < dot);
  return bySlash ? name.replace(/[./]/g, (mark) => (mark === "/" ? "." : "/")) : name;
}

function notOwn(shown: string): Fault {
  return new Fault("invalid", `sysctl ${shown} is not in a separate kernel namespace`, {
    remedy: "It is the whole machine's: set it there, with sysctl -w.",
  });
}
