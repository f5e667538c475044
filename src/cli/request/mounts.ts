import { resolve } from "node:path";
import type { MountRequest } from "#api/client";
import { parseGoBoolean } from "#core/go-boolean";
import { csvFields } from "../flags/csv.ts";
import { parseSize } from "../output/size.ts";

/** What `-v` comes to: binds with a source, anonymous volumes without. A source that begins with a dot is relative to where we are. */
export function readVolumes(items: readonly string[]): { binds: string[]; volumes: Record<string, object> } {
  const binds: string[] = [];
  const volumes: Record<string, object> = {};
  for (const item of items) {
    if (/^:|::|:$/.test(item)) throw new Error(`invalid spec: ${item}: empty section between colons`);
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
  const draft: Draft = { type: "volume", readOnly: false, bind: {}, image: {}, tmpfs: {}, volume: {}, owner: {} };
  for (const field of csvFields(item)) readField(draft, field);
  if (draft.type === "") throw new Error("type is required");
  if (draft.target === undefined) throw new Error("target is required");
  checkOptions(draft);
  const { image, readOnly, source, target, tmpfs, type } = draft;
  const bind = { ...draft.bind, ...(type === "bind" && draft.owner) };
  const volume = { ...draft.volume, ...(type === "volume" && draft.owner) };
  return {
    Type: type,
    ...(source !== undefined && { Source: source }),
    Target: target,
    ...(readOnly && { ReadOnly: true }),
    ...(draft.consistency !== undefined && { Consistency: draft.consistency }),
    ...(isFilled(bind) && { BindOptions: bind }),
    ...(isFilled(volume) && { VolumeOptions: volume }),
    ...(isFilled(image) && { ImageOptions: image }),
    ...(isFilled(tmpfs) && { TmpfsOptions: tmpfs }),
  };
}

type Options<Name extends keyof MountRequest> = {
  -readonly [Key in keyof NonNullable<MountRequest[Name]>]: NonNullable<MountRequest[Name]>[Key];
};

interface Draft {
  type: string;
  source?: string;
  target?: string;
  readOnly: boolean;
  consistency?: string;
  readonly bind: Options<"BindOptions">;
  readonly image: Options<"ImageOptions">;
  readonly tmpfs: Options<"TmpfsOptions">;
  readonly volume: Options<"VolumeOptions">;
  /** Of a bind or a volume. */
  readonly owner: Pick<Options<"BindOptions">, "Chown" | "Idmap">;
}

function isFilled(options: object): boolean {
  return Object.keys(options).length > 0;
}

function readField(draft: Draft, field: string): void {
  const equals = field.indexOf("=");
  const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
  if (key === "bind-nonrecursive") {
    throw new Error("bind-nonrecursive is deprecated, use bind-recursive=disabled instead");
  }
  const set = setters[key];
  if (equals < 0 && !bareKeys.has(key)) throw new Error(`invalid field '${field}' must be a key=value pair`);
  if (set === undefined) throw new Error(`unexpected key '${key}' in '${field}'`);
  set(draft, equals < 0 ? "true" : field.slice(equals + 1), key);
}

/** Those that say yes by being there. */
const bareKeys = new Set(["readonly", "ro", "volume-nocopy", "create-host-path", "u", "chown", "idmap"]);

type Setter = (draft: Draft, value: string, key: string) => void;

const readOnly: Setter = (draft, value, key) => void (draft.readOnly = boolOf(key, value));
const source: Setter = (draft, value) => {
  draft.source = value === "." || value.startsWith("./") ? resolve(value) : value;
};
const chown: Setter = ({ owner }, value, key) => {
  if (boolOf(key, value)) owner.Chown = true;
  else delete owner.Chown;
};
const target: Setter = (draft, value) => void (draft.target = value);

const setters: Readonly<Record<string, Setter>> = {
  type: (draft, value) => void (draft.type = value.toLowerCase()),
  source,
  src: source,
  target,
  dst: target,
  destination: target,
  readonly: readOnly,
  ro: readOnly,
  consistency: (draft, value) => void (draft.consistency = value.toLowerCase()),
  // Podman's: what is mounted is given to the container's user, or shown with other ids.
  u: chown,
  chown,
  idmap: ({ owner }, value) => {
    const asked = parseGoBoolean(value);
    if (asked === false) delete owner.Idmap;
    else owner.Idmap = asked === true ? "" : value;
  },
  "bind-propagation": ({ bind }, value) => void (bind.Propagation = value.toLowerCase()),
  "bind-recursive": ({ bind }, value, key) => readRecursion(bind, value, key),
  "create-host-path": ({ bind }, value, key) => void (bind.CreateMountpoint = boolOf(key, value)),
  "volume-subpath": ({ volume }, value) => void (volume.Subpath = value),
  "volume-nocopy": ({ volume }, value, key) => void (volume.NoCopy = boolOf(key, value)),
  "volume-label": ({ volume }, value) => void (volume.Labels = { ...volume.Labels, ...pairOf(value) }),
  "volume-driver": ({ volume }, value) => void (volume.DriverConfig = { ...volume.DriverConfig, Name: value }),
  "volume-opt": ({ volume }, value) => {
    volume.DriverConfig = {
      ...volume.DriverConfig,
      Options: { ...volume.DriverConfig?.Options, ...pairOf(value) },
    };
  },
  "image-subpath": ({ image }, value) => void (image.Subpath = value),
  "tmpfs-size": ({ tmpfs }, value, key) => {
    try {
      tmpfs.SizeBytes = parseSize(value);
    } catch (error) {
      throw new Error(`invalid value for ${key}: ${value}`, { cause: error });
    }
  },
  "tmpfs-mode": ({ tmpfs }, value, key) => {
    if (!/^[0-7]{1,11}$/.test(value)) throw new Error(`invalid value for ${key}: ${value}`);
    tmpfs.Mode = Number.parseInt(value, 8);
  },
};

function readRecursion(bind: Draft["bind"], value: string, key: string): void {
  if (value === "disabled") bind.NonRecursive = true;
  else if (value === "writable") bind.ReadOnlyNonRecursive = true;
  else if (value === "readonly") bind.ReadOnlyForceRecursive = true;
  else if (value !== "enabled") {
    throw new Error(`invalid value for ${key}: ${value} (must be "enabled", "disabled", "writable", or "readonly")`);
  }
}

/** A name without a value has an empty one; without a name it is nothing. */
function pairOf(text: string): Record<string, string> {
  const [name = "", value = ""] = text.split(/=(.*)/s);
  return name === "" ? {} : { [name]: value };
}

function checkOptions({ bind, image, owner, readOnly: isReadOnly, tmpfs, type, volume }: Draft): void {
  if (isFilled(owner) && type !== "bind" && type !== "volume") {
    throw new Error(`cannot mix 'U' and 'idmap' with mount type '${type}'`);
  }
  for (const [name, options] of Object.entries({ volume, image, bind, tmpfs })) {
    if (isFilled(options) && type !== name) {
      throw new Error(`cannot mix '${name}-*' options with mount type '${type}'`);
    }
  }
  const needs = (option: string, what: string): Error =>
    new Error(`option 'bind-recursive=${option}' requires '${what}' to be specified in conjunction`);
  if (bind.ReadOnlyNonRecursive === true && !isReadOnly) throw needs("writable", "readonly");
  if (bind.ReadOnlyForceRecursive !== true) return;
  if (!isReadOnly) throw needs("readonly", "readonly");
  if (bind.Propagation !== "rprivate") throw needs("readonly", "bind-propagation=rprivate");
}

function boolOf(key: string, value: string): boolean {
  const read = parseGoBoolean(value);
  if (read === undefined) throw new Error(`invalid value for ${key}: ${value}`);
  return read;
}
