import type { HostConfig } from "#api/wire";
import type { ContainerSpec } from "#containers";

/** Namespaces, rights, devices and kernel parameters of a create request, as they were typed; `containers` checks them. */
export function readIsolation(
  host: Partial<HostConfig>,
): Pick<
  ContainerSpec,
  | "capAdd"
  | "capDrop"
  | "deviceRequests"
  | "deviceRules"
  | "devices"
  | "maskedPaths"
  | "namespaces"
  | "oomScoreAdj"
  | "privileged"
  | "readonlyPaths"
  | "readOnlyRoot"
  | "securityOptions"
  | "sysctls"
  | "ulimits"
> {
  return {
    readOnlyRoot: host.ReadonlyRootfs ?? false,
    privileged: host.Privileged ?? false,
    capAdd: host.CapAdd ?? [],
    capDrop: host.CapDrop ?? [],
    securityOptions: host.SecurityOpt ?? [],
    ...(Array.isArray(host.MaskedPaths) && { maskedPaths: host.MaskedPaths }),
    ...(Array.isArray(host.ReadonlyPaths) && { readonlyPaths: host.ReadonlyPaths }),
    namespaces: {
      ipc: host.IpcMode ?? "",
      pid: host.PidMode ?? "",
      uts: host.UTSMode ?? "",
      cgroup: host.CgroupnsMode ?? "",
      user: host.UsernsMode ?? "",
    },
    ulimits: (host.Ulimits ?? []).map(({ Name: name, Soft: soft, Hard: hard }) => ({ name, soft, hard })),
    oomScoreAdj: host.OomScoreAdj ?? 0,
    devices: (host.Devices ?? []).map((device) => ({
      hostPath: device.PathOnHost,
      containerPath: device.PathInContainer === "" ? device.PathOnHost : device.PathInContainer,
      permissions: device.CgroupPermissions === "" ? "rwm" : device.CgroupPermissions,
    })),
    deviceRules: host.DeviceCgroupRules ?? [],
    deviceRequests: (host.DeviceRequests ?? []).map((request) => ({
      driver: request.Driver,
      count: request.Count,
      deviceIds: request.DeviceIDs ?? [],
      capabilities: request.Capabilities ?? [],
      options: request.Options ?? {},
    })),
    sysctls: host.Sysctls ?? {},
  };
}
