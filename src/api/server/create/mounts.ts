import { isAbsolute, normalize } from "node:path";
import type { MountRequest as WireMount } from "#api/wire";
import type {
  BindRequest,
  ImageMountRequest,
  MountRequest,
  Propagation,
  TmpfsRequest,
  VolumeMountRequest,
} from "#containers";
import { Fault } from "#core/fault";
import { checkSubpath, invalidMount, mountModes, type MountModes, propagationOf } from "./mount-words.ts";

/** Reads one of `HostConfig.Binds`: `[source:]target[:mode,mode]`; the source is a path of the host or a volume's name. */
export function readBind(text: string): MountRequest {
  const { source, target, modes } = splitBind(text);
  const { readOnly, propagation, noCopy, chown, idmap } = modes;
  const preface = `invalid volume specification: '${text.slice(0, 200)}': `;
  const isPath = isAbsolute(source);
  const base = {
    target: checkTarget(target, isPath ? "bind" : "volume", preface),
    readOnly,
    text,
    ...(chown && { chown: true as const }),
    ...(idmap !== undefined && { idmap }),
  };
  if (isPath) {
    if (noCopy !== undefined) throw new Fault("invalid", `invalid mode: ${noCopy ? "nocopy" : "copy"}`);
    return {
      kind: "bind",
      ...base,
      source: cleanPath(source),
      createSource: true,
      propagation: propagation ?? "rprivate",
    };
  }
  return {
    kind: "volume",
    ...base,
    name: source,
    driver: "",
    options: {},
    labels: {},
    noCopy: noCopy ?? false,
    ...(propagation !== undefined && { propagation }),
  };
}

/** Reads one of `HostConfig.Mounts`. Faults `invalid` in Docker's words. */
export function readMount(mount: WireMount): MountRequest {
  const type = mount.Type ?? "";
  if ((mount.Target ?? "") === "") throw invalidMount(type, "field Target must not be empty");
  const target = checkTarget(mount.Target ?? "", type);
  const base = { target, readOnly: mount.ReadOnly ?? false };
  if (type === "bind") return readBindMount(mount, base);
  if (type === "volume" || type === "") return readVolumeMount(mount, base);
  if (type === "tmpfs") return readTmpfsMount(mount, base);
  if (type === "image") return readImageMount(mount, base);
  if (type === "npipe" || type === "cluster") {
    throw new Fault("unsupported", `--mount type=${type} is not supported (HostConfig.Mounts)`);
  }
  throw invalidMount(type.slice(0, 50), "mount type unknown");
}

/** Targets of `Config.Volumes`: each is a volume of the container's own. */
export function readVolumeTargets(volumes: Readonly<Record<string, object>>): string[] {
  return [...new Set(Object.keys(volumes).map((target) => checkTarget(target, "volume")))];
}

/** A path in the container, made clean. Fault `invalid` in Docker's words, after the preface, when it is not absolute or is the root. */
export function checkTarget(path: string, type: string, preface = ""): string {
  if (path.includes("\0")) throw new Fault("invalid", `${preface}a mount must not contain a NUL byte`);
  if (!isAbsolute(path)) {
    throw invalidMount(type, `invalid mount path: '${path.slice(0, 200)}' mount path must be absolute`, preface);
  }
  const clean = cleanPath(path);
  if (clean === "/") {
    throw invalidMount(type, "invalid specification: destination can't be '/'", preface);
  }
  return clean;
}

function cleanPath(path: string): string {
  return normalize(path).replace(/(.)\/+$/, "$1");
}

interface SplitBind {
  readonly source: string;
  readonly target: string;
  readonly modes: MountModes;
}

function splitBind(text: string): SplitBind {
  const parts = text.split(":");
  const [first = "", second, third, ...rest] = parts;
  const malformed = new Fault("invalid", `invalid volume specification: '${text.slice(0, 200)}'`);
  if (rest.length > 0 || first === "" || second === "") throw malformed;
  if (second === undefined) return { source: "", target: first, modes: mountModes("") };
  // `/data:ro` is no volume's mode: an anonymous one has none.
  if (third === undefined && !second.startsWith("/") && isMode(second)) throw malformed;
  return { source: first, target: second, modes: mountModes(third ?? "") };
}

function isMode(text: string): boolean {
  try {
    mountModes(text);
    return true;
  } catch {
    return false;
  }
}

interface Base {
  readonly target: string;
  readonly readOnly: boolean;
}

function readBindMount(mount: WireMount, base: Base): BindRequest {
  const source = mount.Source ?? "";
  const options = mount.BindOptions ?? {};
  const wrong = (reason: string): Fault => invalidMount("bind", reason);
  if (source === "") throw wrong("field Source must not be empty");
  if (mount.VolumeOptions !== undefined) throw wrong("field VolumeOptions must not be specified");
  if (!isAbsolute(source)) {
    throw wrong(`invalid mount path: '${source.slice(0, 200)}' mount path must be absolute`);
  }
  if (source.includes("\0")) throw wrong("a mount must not contain a NUL byte");
  const propagation = readPropagation(options.Propagation);
  checkRecursion(options, base.readOnly, propagation);
  return {
    kind: "bind",
    ...base,
    source: cleanPath(source),
    createSource: options.CreateMountpoint ?? false,
    propagation,
    ...(options.NonRecursive === true && { nonRecursive: true }),
    ...(options.ReadOnlyNonRecursive === true && { readOnlyTopOnly: true }),
    ...(options.ReadOnlyForceRecursive === true && { readOnlyForced: true }),
    ...ownerChanges(options),
  };
}

function ownerChanges({ Chown, Idmap }: Pick<NonNullable<WireMount["BindOptions"]>, "Chown" | "Idmap"> = {}): Pick<
  BindRequest,
  "chown" | "idmap"
> {
  return { ...(Chown === true && { chown: true }), ...(Idmap !== undefined && { idmap: Idmap }) };
}

function readPropagation(word: string | undefined): Propagation {
  if (word === undefined || word === "") return "rprivate";
  const propagation = propagationOf(word);
  if (propagation !== undefined) return propagation;
  throw invalidMount("bind", `invalid propagation mode: ${word.slice(0, 50)}`);
}

function checkRecursion(
  { NonRecursive: none, ReadOnlyNonRecursive: top, ReadOnlyForceRecursive: all }: NonNullable<WireMount["BindOptions"]>,
  readOnly: boolean,
  propagation: Propagation,
): void {
  const wrong = (reason: string): Fault => invalidMount("bind", reason);
  if (top === true && all === true) throw wrong("ReadOnlyNonRecursive conflicts with ReadOnlyForceRecursive");
  if (all === true && none === true) throw wrong("ReadOnlyForceRecursive conflicts with NonRecursive");
  if (all === true && !readOnly) throw wrong("mount source must be read-only when ReadOnlyForceRecursive is set");
  if (all === true && propagation !== "rprivate") {
    throw wrong(`ReadOnlyForceRecursive needs the propagation rprivate, and not ${propagation}`);
  }
}

function readVolumeMount(mount: WireMount, base: Base): VolumeMountRequest {
  const { NoCopy = false, Labels = {}, DriverConfig = {}, Subpath = "" } = mount.VolumeOptions ?? {};
  const name = mount.Source ?? "";
  const wrong = (reason: string): Fault => invalidMount("volume", reason);
  if (mount.BindOptions !== undefined) throw wrong("field BindOptions must not be specified");
  if (name === "" && base.readOnly) throw wrong("must not set ReadOnly mode when using anonymous volumes");
  if (name === "" && Subpath !== "") throw wrong("must not set Subpath when using anonymous volumes");
  checkSubpath("volume", Subpath);
  return {
    kind: "volume",
    ...base,
    name,
    driver: DriverConfig.Name ?? "",
    options: DriverConfig.Options ?? {},
    labels: Labels,
    noCopy: NoCopy,
    ...(Subpath !== "" && { subpath: Subpath }),
    ...ownerChanges(mount.VolumeOptions),
  };
}

function readTmpfsMount(mount: WireMount, base: Base): TmpfsRequest {
  const { SizeBytes = 0, Mode = 0, Options = [] } = mount.TmpfsOptions ?? {};
  if ((mount.Source ?? "") !== "") throw invalidMount("tmpfs", "field Source must not be specified");
  if (mount.BindOptions !== undefined) throw invalidMount("tmpfs", "field BindOptions must not be specified");
  if (SizeBytes < 0) throw invalidMount("tmpfs", `invalid size: ${SizeBytes}`);
  if (Mode < 0 || Mode > 0o7777) throw invalidMount("tmpfs", `invalid mode: ${Mode}`);
  for (const option of Options) {
    if (option.length === 0 || option.length > 2) throw invalidMount("tmpfs", "invalid option array length");
  }
  return { kind: "tmpfs", ...base, sizeBytes: SizeBytes, mode: Mode, options: Options };
}

function readImageMount(mount: WireMount, base: Base): ImageMountRequest {
  const source = mount.Source ?? "";
  const subpath = mount.ImageOptions?.Subpath ?? "";
  if (source === "") throw invalidMount("image", "field Source must not be empty");
  if (mount.BindOptions !== undefined) throw invalidMount("image", "field BindOptions must not be specified");
  checkSubpath("image", subpath);
  return { kind: "image", ...base, source, ...(subpath !== "" && { subpath }) };
}
