import { isAbsolute, normalize } from "node:path";
import type { MountRequest } from "#api/wire";
import type { BindRequest } from "#containers";
import { Fault } from "#core/fault";

const propagations: ReadonlySet<string> = new Set(["private", "rprivate", "slave", "rslave", "shared", "rshared"]);
/** SELinux labels have no effect where SELinux is off, and consistency words have none on Linux. */
const quietModes: ReadonlySet<string> = new Set(["rw", "z", "Z", "cached", "delegated", "consistent"]);

/** Reads one of `HostConfig.Binds`: `/host:/container[:mode,mode]`. Named volumes are refused as not supported yet. */
export function readBind(text: string): BindRequest {
  const [source = "", target, modes = "", ...rest] = text.split(":");
  if (rest.length > 0 || target === undefined || source === "" || target === "") {
    throw new Fault("invalid", `invalid volume specification: '${text.slice(0, 200)}'`);
  }
  let readOnly = false;
  let propagation: BindRequest["propagation"] = "rprivate";
  for (const mode of modes.split(",").filter(Boolean)) {
    if (mode === "ro") readOnly = true;
    else if (isPropagation(mode)) propagation = mode;
    else if (!quietModes.has(mode)) throw new Fault("invalid", `invalid mode: ${mode.slice(0, 100)}`);
  }
  const cleanTarget = checkTarget(target, `invalid volume specification: '${text.slice(0, 200)}': `);
  if (!isAbsolute(source)) throw namedVolume(source);
  return { source: normalize(source), target: cleanTarget, readOnly, createSource: true, propagation, text };
}

/** What `HostConfig.Mounts` asks for. */
export interface ReadMounts {
  readonly binds: readonly BindRequest[];
  readonly tmpfs: Readonly<Record<string, string>>;
}

/** Reads `HostConfig.Mounts`; only binds and tmpfs so far. */
export function readMounts(mounts: readonly MountRequest[]): ReadMounts {
  const binds: BindRequest[] = [];
  const tmpfs: [string, string][] = [];
  for (const mount of mounts) {
    const target = checkTarget(mount.Target ?? "");
    if (mount.Type === "bind") binds.push(readBindMount(mount, target));
    else if (mount.Type === "tmpfs") tmpfs.push([target, readTmpfsOptions(mount)]);
    else if (mount.Type === "volume" || mount.Type === undefined || mount.Type === "")
      throw namedVolume(mount.Source ?? "");
    else if (mount.Type === "image" || mount.Type === "npipe" || mount.Type === "cluster") {
      throw new Fault("unsupported", `--mount type=${mount.Type} is not supported yet (HostConfig.Mounts)`);
    } else throw new Fault("invalid", `invalid mount config for type "${mount.Type.slice(0, 50)}": mount type unknown`);
  }
  return { binds, tmpfs: Object.fromEntries(tmpfs) };
}

/** A path in the container. Fault `invalid` in Docker's words, after the preface, when it is not absolute or is the root. */
export function checkTarget(path: string, preface = ""): string {
  if (!isAbsolute(path)) {
    throw new Fault(
      "invalid",
      `${preface}invalid mount config: invalid mount path: '${path.slice(0, 200)}' mount path must be absolute`,
    );
  }
  const clean = normalize(path).replace(/(.)\/+$/, "$1");
  if (clean === "/") throw new Fault("invalid", `${preface}invalid specification: destination can't be '/'`);
  return clean;
}

function readBindMount(mount: MountRequest, target: string): BindRequest {
  const source = mount.Source ?? "";
  const options = mount.BindOptions ?? {};
  if (source === "") throw new Fault("invalid", 'invalid mount config for type "bind": field Source must not be empty');
  if (!isAbsolute(source)) {
    throw new Fault(
      "invalid",
      `invalid mount config for type "bind": invalid mount path: '${source.slice(0, 200)}' mount path must be absolute`,
    );
  }
  if (
    options.NonRecursive === true ||
    options.ReadOnlyNonRecursive === true ||
    options.ReadOnlyForceRecursive === true
  ) {
    throw new Fault("unsupported", "--mount bind-recursive is not supported yet (HostConfig.Mounts.BindOptions)");
  }
  const propagation =
    options.Propagation === undefined || options.Propagation === "" ? "rprivate" : options.Propagation;
  if (!isPropagation(propagation)) throw new Fault("invalid", `invalid propagation mode: ${propagation.slice(0, 50)}`);
  return {
    source: normalize(source),
    target,
    readOnly: mount.ReadOnly ?? false,
    createSource: options.CreateMountpoint ?? false,
    propagation,
  };
}

function readTmpfsOptions(mount: MountRequest): string {
  const options = mount.TmpfsOptions ?? {};
  if ((mount.Source ?? "") !== "") {
    throw new Fault("invalid", 'invalid mount config for type "tmpfs": field Source must not be specified');
  }
  const words = (options.Options ?? []).map((pair) => pair.join("="));
  if (options.SizeBytes !== undefined && options.SizeBytes > 0) words.push(`size=${options.SizeBytes}`);
  if (options.Mode !== undefined && options.Mode > 0) words.push(`mode=${options.Mode.toString(8)}`);
  if (mount.ReadOnly === true) words.push("ro");
  return words.join(",");
}

function isPropagation(word: string): word is BindRequest["propagation"] {
  return propagations.has(word);
}

function namedVolume(name: string): Fault {
  if (name !== "" && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) {
    const shown = name.slice(0, 100);
    return new Fault(
      "invalid",
      `create ${shown}: "${shown}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  }
  return new Fault("unsupported", `volumes are not supported yet (volume "${name.slice(0, 100)}")`, {
    remedy: "Mount a folder of the host by its absolute path instead: -v /srv/data:/data.",
  });
}
