import type { MountPoint, MountRequest as WireMount } from "#api/wire";
import type { BindRequest, ContainerMount, MountRequest, TmpfsRequest, VolumeMountRequest } from "#containers";

/** One of `Mounts` of inspect and of the list. */
export function mountPoint(mount: ContainerMount): MountPoint {
  const base = { Destination: mount.target, Mode: modeOf(mount), RW: !mount.readOnly };
  if (mount.kind === "bind") return { Type: "bind", Source: mount.source, ...base, Propagation: mount.propagation };
  if (mount.kind === "image") {
    return { Type: "image", Name: mount.source, Source: "", ...base, RW: false, Propagation: "rprivate" };
  }
  if (mount.kind === "tmpfs") return { Type: "tmpfs", Source: "", ...base, Propagation: "" };
  const { name, source, driver, propagation = "" } = mount;
  return { Type: "volume", Name: name, Source: source, ...base, Driver: driver, Propagation: propagation };
}

/** One of `HostConfig.Mounts`, as it was asked for. */
export function mountRequestAnswer(mount: MountRequest): WireMount {
  const { target, readOnly, kind } = mount;
  const base = { Target: target, ...(readOnly && { ReadOnly: true }) };
  if (mount.kind === "bind") return { Type: kind, Source: mount.source, ...base, ...bindOptions(mount) };
  if (mount.kind === "tmpfs") return { Type: kind, ...base, ...tmpfsOptions(mount) };
  if (mount.kind === "image") {
    const { source, subpath } = mount;
    return {
      Type: kind,
      Source: source,
      ...base,
      ...(subpath !== undefined && { ImageOptions: { Subpath: subpath } }),
    };
  }
  return { Type: kind, ...(mount.name !== "" && { Source: mount.name }), ...base, ...volumeOptions(mount) };
}

/** What was typed behind the target; Docker has `z` where nothing was, for local volumes with a name. */
function modeOf(mount: ContainerMount): string {
  const typed = mount.text?.split(":")[2] ?? "";
  return typed === "" && mount.kind === "volume" && mount.named && mount.driver === "local" ? "z" : typed;
}

function bindOptions(bind: BindRequest): Pick<WireMount, "BindOptions"> {
  const options = {
    ...(bind.propagation !== "rprivate" && { Propagation: bind.propagation }),
    ...(bind.nonRecursive === true && { NonRecursive: true }),
    ...(bind.createSource && { CreateMountpoint: true }),
    ...(bind.readOnlyTopOnly === true && { ReadOnlyNonRecursive: true }),
    ...(bind.readOnlyForced === true && { ReadOnlyForceRecursive: true }),
    ...ownerOptions(bind),
  };
  return Object.keys(options).length > 0 ? { BindOptions: options } : {};
}

function ownerOptions({
  chown,
  idmap,
}: Pick<BindRequest, "chown" | "idmap">): Pick<NonNullable<WireMount["BindOptions"]>, "Chown" | "Idmap"> {
  return { ...(chown === true && { Chown: true }), ...(idmap !== undefined && { Idmap: idmap }) };
}

function volumeOptions(volume: VolumeMountRequest): Pick<WireMount, "VolumeOptions"> {
  const { noCopy, labels, driver, options, subpath } = volume;
  const hasOptions = Object.keys(options).length > 0;
  const asked = {
    ...(noCopy && { NoCopy: true }),
    ...(Object.keys(labels).length > 0 && { Labels: labels }),
    ...((driver !== "" || hasOptions) && {
      DriverConfig: { ...(driver !== "" && { Name: driver }), ...(hasOptions && { Options: options }) },
    }),
    ...(subpath !== undefined && { Subpath: subpath }),
    ...ownerOptions(volume),
  };
  return Object.keys(asked).length > 0 ? { VolumeOptions: asked } : {};
}

function tmpfsOptions({ sizeBytes, mode, options }: TmpfsRequest): Pick<WireMount, "TmpfsOptions"> {
  const asked = {
    ...(sizeBytes > 0 && { SizeBytes: sizeBytes }),
    ...(mode > 0 && { Mode: mode }),
    ...(options.length > 0 && { Options: options }),
  };
  return Object.keys(asked).length > 0 ? { TmpfsOptions: asked } : {};
}
