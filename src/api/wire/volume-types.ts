/** Body of `POST /volumes/create`. */
export interface VolumeCreateRequest {
  /** Empty: a generated one. */
  readonly Name?: string;
  /** Empty: `local`. */
  readonly Driver?: string;
  readonly DriverOpts?: Readonly<Record<string, string>>;
  readonly Labels?: Readonly<Record<string, string>>;
  /** Only a swarm has such volumes. */
  readonly ClusterVolumeSpec?: object;
}

/** A volume in answers. */
export interface VolumeAnswer {
  readonly Name: string;
  readonly Driver: string;
  readonly Mountpoint: string;
  readonly CreatedAt?: string;
  /** What its plugin tells of it. */
  readonly Status?: Readonly<Record<string, unknown>>;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Scope: string;
  readonly Options: Readonly<Record<string, string>> | null;
  /** In `GET /system/df` alone; -1: not known. */
  readonly UsageData?: { readonly Size: number; readonly RefCount: number };
}

/** `GET /volumes`. */
export interface VolumesAnswer {
  readonly Volumes: readonly VolumeAnswer[];
  readonly Warnings: readonly string[] | null;
}

/** `POST /volumes/prune`: names. */
export interface VolumesPruneAnswer {
  readonly VolumesDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}
