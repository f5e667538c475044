import type { ContainerCreateRequest, HostConfig } from "#api/wire";
import { Fault } from "#core/fault";

/** The request's fields that Slipway does not carry yet: how the CLI names them, and whether a value asks for anything. */
const hostFields: { readonly [Key in keyof HostConfig]?: readonly [flag: string, asks: (value: unknown) => boolean] } =
  {
    Cgroup: ["Cgroup", isFilled],
    Isolation: ["--isolation", (value) => !["", "default"].includes(String(value))],
    CpuCount: ["--cpu-count", isFilled],
    CpuPercent: ["--cpu-percent", isFilled],
    IOMaximumIOps: ["--io-maxiops", isFilled],
    IOMaximumBandwidth: ["--io-maxbandwidth", isFilled],
  };

const configFields: {
  readonly [Key in keyof ContainerCreateRequest]?: readonly [flag: string, asks: (value: unknown) => boolean];
} = {
  OnBuild: ["OnBuild", isFilled],
};

/** Fault `unsupported` for the first field that asks for what Slipway does not do yet: never silence. */
export function refuseUnsupported(request: ContainerCreateRequest): void {
  refuseFields(request, configFields, "Config");
  refuseFields(request.HostConfig ?? {}, hostFields, "HostConfig");
}

function refuseFields(
  values: object,
  fields: Readonly<Record<string, readonly [flag: string, asks: (value: unknown) => boolean] | undefined>>,
  place: string,
): void {
  for (const [name, value] of Object.entries(values) as [string, unknown][]) {
    const field = fields[name];
    if (field === undefined || value === null || value === undefined || !field[1](value)) continue;
    throw new Fault("unsupported", `${field[0]} is not supported yet (${place}.${name})`);
  }
}

/** Whether a value is other than Go's zero value. */
function isFilled(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return value !== "" && value !== 0 && value !== false && value !== null && value !== undefined;
}
