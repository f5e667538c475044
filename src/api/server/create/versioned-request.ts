import {
  apiVersion,
  type ApiVersion,
  type ContainerCreateRequest,
  type EndpointSettings,
  type HostConfig,
  type MountRequest,
} from "#api/wire";
import { Fault } from "#core/fault";

/**
 * The create request as its API version means it: fields that came later are as good as absent, as older daemons ignored
 * them. Faults `invalid` where ignoring them would surprise, in Docker's words.
 */
export function versionedRequest(request: ContainerCreateRequest, version: ApiVersion): ContainerCreateRequest {
  const host = request.HostConfig ?? {};
  const mounts = host.Mounts ?? [];
  checkNetworks(request, version);
  for (const mount of mounts) checkMount(mount, version);
  return {
    ...request,
    ...hostConfig(host, mounts, version),
    ...healthcheck(request, version),
    ...networking(request, version),
  };
}

/** A place in a network as the version means it: MAC addresses came with 1.44, priorities with 1.48. */
export function versionedEndpoint(
  { GwPriority: priority, MacAddress: mac, ...rest }: Partial<EndpointSettings>,
  version: ApiVersion,
): Partial<EndpointSettings> {
  return {
    ...rest,
    ...(mac !== undefined && version >= apiVersion("1.44") && { MacAddress: mac }),
    ...(priority !== undefined && version >= apiVersion("1.48") && { GwPriority: priority }),
  };
}

function networking({ NetworkingConfig: config }: ContainerCreateRequest, version: ApiVersion) {
  const endpoints = config?.EndpointsConfig ?? undefined;
  if (endpoints === undefined) return {};
  const shaped = Object.entries(endpoints).map(([name, endpoint]) => [
    name,
    endpoint === null ? null : versionedEndpoint(endpoint, version),
  ]);
  return {
    NetworkingConfig: { EndpointsConfig: Object.fromEntries(shaped) as NonNullable<typeof endpoints> },
  };
}

function hostConfig(
  { Annotations: annotations, ...rest }: Partial<HostConfig>,
  mounts: readonly MountRequest[],
  version: ApiVersion,
): { readonly HostConfig: Partial<HostConfig> } {
  return {
    HostConfig: {
      ...rest,
      ...(annotations !== undefined && version >= apiVersion("1.43") && { Annotations: annotations }),
      ...(mounts.length > 0 && { Mounts: version < apiVersion("1.42") ? mounts.map(olderMount) : mounts }),
    },
  };
}

function healthcheck({ Healthcheck: check }: ContainerCreateRequest, version: ApiVersion) {
  if (check === undefined || version >= apiVersion("1.44")) return {};
  const { StartInterval: _later, ...known } = check;
  return { Healthcheck: known };
}

function checkNetworks({ NetworkingConfig: networking }: ContainerCreateRequest, version: ApiVersion): void {
  const names = Object.keys(networking?.EndpointsConfig ?? {});
  if (names.length < 2 || version >= apiVersion("1.44")) return;
  throw new Fault("invalid", `Container cannot be created with multiple network endpoints: ${names.join(", ")}`);
}

function checkMount(mount: MountRequest, version: ApiVersion): void {
  if (version >= apiVersion("1.42")) {
    for (const type of ["volume", "bind", "tmpfs", "image"] as const) {
      const field = optionsOf[type];
      if (mount[field] === undefined || mount.Type === type) continue;
      throw new Fault("invalid", `${field} must not be specified on mount type ${JSON.stringify(mount.Type ?? "")}`);
    }
  }
  // Ignored, these would show more than was asked for.
  const later: [boolean, Parameters<typeof apiVersion>[0], string][] = [
    [mount.BindOptions?.ReadOnlyForceRecursive === true, "1.44", "BindOptions.ReadOnlyForceRecursive"],
    [(mount.VolumeOptions?.Subpath ?? "") !== "", "1.45", "VolumeOptions.Subpath"],
    [mount.Type === "image", "1.48", 'mount type "image"'],
  ];
  for (const [asked, since, what] of later) {
    if (asked && version < apiVersion(since)) throw new Fault("invalid", `${what} needs API v${since} or newer`);
  }
}

const optionsOf = {
  volume: "VolumeOptions",
  bind: "BindOptions",
  tmpfs: "TmpfsOptions",
  image: "ImageOptions",
} as const;

/** Options that do not belong to the type were ignored, and sources were never made. */
function olderMount({
  BindOptions: bind,
  TmpfsOptions: tmpfs,
  VolumeOptions: volume,
  ...rest
}: MountRequest): MountRequest {
  const { CreateMountpoint: _later, ...known } = bind ?? {};
  return {
    ...rest,
    ...(bind !== undefined && rest.Type === "bind" && { BindOptions: known }),
    ...(tmpfs !== undefined && rest.Type === "tmpfs" && { TmpfsOptions: tmpfs }),
    ...(volume !== undefined && rest.Type === "volume" && { VolumeOptions: volume }),
  };
}
