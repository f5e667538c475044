import type { DeviceMapping, DeviceRequest } from "#api/client";
import { csvFields } from "../flags/csv.ts";

/** Reads `--device`: paths of this machine, and the qualified names of CDI devices (`vendor.com/class=name`). Throws an Error in Docker's words. */
export function readDevices(items: readonly string[]): { devices: DeviceMapping[]; requests: DeviceRequest[] } {
  const names = items.filter((item) => cdiName.test(item));
  const request = { Driver: "cdi", Count: 0, DeviceIDs: names, Capabilities: null, Options: null };
  return {
    devices: items.filter((item) => !cdiName.test(item)).map(readDevice),
    requests: names.length === 0 ? [] : [request],
  };
}

/** Reads `--gpus`: `all`, a number, or Docker's fields (`"device=0,1",capabilities=utility`). Throws an Error in Docker's words. */
export function readGpus(item: string): DeviceRequest {
  const fields = new Map<string, string>();
  for (const field of csvFields(item)) {
    const [key = "", value] = field.split(/=(.*)/s);
    const name = value === undefined ? "count" : key.trim().toLowerCase();
    if (fields.has(name)) throw new Error(`gpu request key '${name}' can be specified only once`);
    if (!gpuKeys.has(name)) throw new Error(`unexpected key '${name}' in '${field}'`);
    fields.set(name, value ?? key);
  }
  const ids = fields.get("device")?.split(",") ?? null;
  if (ids !== null && fields.has("count")) throw new Error("cannot set both Count and DeviceIDs on device request");
  const capabilities = fields.get("capabilities")?.split(",") ?? [];
  return {
    Driver: fields.get("driver") ?? "",
    Count: ids === null ? gpuCount(fields.get("count") ?? "1") : 0,
    DeviceIDs: ids,
    Capabilities: [[...new Set([...capabilities, "gpu"])]],
    Options: Object.fromEntries((fields.get("options")?.split(",") ?? []).map((pair) => pairOf(pair))),
  };
}

const gpuKeys = new Set(["count", "device", "driver", "capabilities", "options"]);
/** CDI specification, "Kind" and "Device names". */
const cdiName = /^[A-Za-z][A-Za-z0-9_.-]*\/[A-Za-z][A-Za-z0-9_-]*=[A-Za-z0-9][A-Za-z0-9_.:-]*$/;

function gpuCount(text: string): number {
  if (text === "all") return -1;
  if (/^-?\d+$/.test(text)) return Number(text);
  throw new Error(`invalid count (${text}): value must be either "all" or an integer`);
}

function pairOf(text: string): [string, string] {
  const [name = "", value = ""] = text.split(/=(.*)/s);
  return [name, value];
}

function readDevice(item: string): DeviceMapping {
  const [host = "", second, third] = item.split(":");
  const isMode = (text: string | undefined): boolean => text !== undefined && /^[rwm]{1,3}$/.test(text);
  if (item.split(":").length > 3) throw new Error(`bad format for path: ${item}`);
  const mode = third ?? (isMode(second) ? second : undefined);
  if (third !== undefined && !isMode(third)) throw new Error(`bad format for path: ${item}`);
  return {
    PathOnHost: host,
    PathInContainer: second === undefined || second === "" || (isMode(second) && third === undefined) ? host : second,
    CgroupPermissions: mode ?? "rwm",
  };
}
