import { Fault } from "#core/fault";
import type { ContainerSpec } from "../containers.ts";
import { noLimits } from "./blank-spec.ts";

/** Fault `unsupported` for what a request may say and no code carries out yet: never silence. */
export function refuseNotYet(spec: ContainerSpec): void {
  const { namespaces, limits } = spec;
  const { memoryBytes: _memory, nanoCpus: _cpus, pids: _pids, ...otherLimits } = limits;
  const asked: Readonly<Record<string, boolean>> = {
    "--restart": spec.restart.name !== "no",
    "--ipc": !["", "private"].includes(namespaces.ipc),
    "--pid": !["", "private"].includes(namespaces.pid),
    "--uts": !["", "private"].includes(namespaces.uts),
    "--cgroupns": !["", "private"].includes(namespaces.cgroup),
    "--userns": !["", "host"].includes(namespaces.user),
    "masked or read-only paths": spec.maskedPaths !== undefined || spec.readonlyPaths !== undefined,
    "limits other than --memory, --cpus and --pids-limit": Object.entries(otherLimits).some(
      ([name, value]) => JSON.stringify(value) !== JSON.stringify(noLimits[name as keyof typeof noLimits]),
    ),
    "--ulimit": spec.ulimits.length > 0,
    "--oom-score-adj": spec.oomScoreAdj !== 0,
    "--cgroup-parent": spec.cgroupParent !== undefined,
    "--device": spec.devices.length > 0,
    "--device-cgroup-rule": spec.deviceRules.length > 0,
    "--gpus": spec.deviceRequests.length > 0,
    "--sysctl": Object.keys(spec.sysctls).length > 0,
    "--storage-opt": Object.keys(spec.storageOptions).length > 0,
    "--log-driver": ["syslog", "fluentd"].includes(spec.logging.driver),
    "--health-cmd": (spec.healthcheck?.Test?.length ?? 0) > 0 && spec.healthcheck?.Test?.[0] !== "NONE",
  };
  const flag = Object.entries(asked).find(([, is]) => is)?.[0];
  if (flag !== undefined) throw new Fault("unsupported", `${flag} is not supported yet`);
}
