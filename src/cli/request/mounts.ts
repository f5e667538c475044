import { resolve } from "node:path";
import type { MountRequest } from "#api/client";
import { parseSize } from "../output/size.ts";

/** What `-v` comes to: binds with a source, anonymous volumes without. A source that begins with a dot is relative to where we are. */
export function readVolumes(items: readonly string[]): { binds: string[]; volumes: Record<string, object> } {
  const binds: string[] = [];
  const volumes: Record<string, object> = {};
  for (const item of items) {
    const colon = item.indexOf(":");
    if (colon < 0) {
      volumes[item] = {};
      continue;
    }
    const source = item.slice(0, colon);
    binds.push(source.startsWith(".") ? `${resolve(source)}${item.slice(colon)}` : item);
  }
  return { binds, volumes };
}

/** Reads `--mount type=bind,source=/a,target=/b,readonly`; throws an Error in Docker's words. */
export function readMount(item: string): MountRequest {
  const draft: Draft = { type: "volume", bind: {}, tmpfs: {}, volume: {} };
  for (const part of item.split(",")) {
    const equals = part.indexOf("=");
    const key = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase();
    const value = equals < 0 ? undefined : part.slice(equals + 1);
    readField(draft, key, value, part);
  }
  if (draft.target === undefined) throw new Error("target is required");
  const { bind, readOnly, source, target, tmpfs, type, volume } = draft;
  return {
    Type: type,
    ...(source !== undefined && { Source: source }),
    Target: target,
    ...(readOnly === true && { ReadOnly: true }),
    ...(Object.keys(bind).length > 0 && { BindOptions: bind }),
    ...(Object.keys(volume).length > 0 && { VolumeOptions: volume }),
    ...(Object.keys(tmpfs).length > 0 && { TmpfsOptions: tmpfs }),
  };
}

interface Draft {
  type: string;
  source?: string;
  target?: string;
  readOnly?: boolean;
  readonly bind: Record<string, unknown>;
  readonly volume: Record<string, unknown>;
  readonly tmpfs: Record<string, unknown>;
}

function readField(draft: Draft, key: string, value: string | undefined, part: string): void {
  const needed = (): string => {
    if (value === undefined || value === "") throw new Error(`invalid field '${part}' must be a key=value pair`);
    return value;
  };
  const flag = (): boolean => value === undefined || boolOf(key, value);
  switch (key) {
    case "type":
      draft.type = needed().toLowerCase();
      return;
    case "source":
    case "src":
      draft.source = needed().startsWith(".") ? resolve(needed()) : needed();
      return;
    case "target":
    case "dst":
    case "destination":
      draft.target = needed();
      return;
    case "readonly":
    case "ro":
      draft.readOnly = flag();
      return;
    case "bind-propagation":
      draft.bind["Propagation"] = needed().toLowerCase();
      return;
    case "bind-nonrecursive":
      draft.bind["NonRecursive"] = flag();
      return;
    case "volume-nocopy":
      draft.volume["NoCopy"] = flag();
      return;
    case "volume-subpath":
      draft.volume["Subpath"] = needed();
      return;
    case "tmpfs-size":
      draft.tmpfs["SizeBytes"] = parseSize(needed());
      return;
    case "tmpfs-mode":
      if (!/^[0-7]{1,5}$/.test(needed())) throw new Error(`invalid value for ${key}: ${needed()}`);
      draft.tmpfs["Mode"] = Number.parseInt(needed(), 8);
      return;
    default:
      needed();
      throw new Error(`unexpected key '${key}' in '${part}'`);
  }
}

function boolOf(key: string, value: string): boolean {
  if (["1", "true"].includes(value)) return true;
  if (["0", "false"].includes(value)) return false;
  throw new Error(`invalid value for ${key}: ${value}`);
}
