/** One entry of `GET /images/json`. */
export interface ImageSummary {
  readonly Id: string;
  readonly ParentId: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  /** Seconds since 1970. */
  readonly Created: number;
  readonly Size: number;
  /** −1: not asked for. */
  readonly SharedSize: number;
  /** Answered before API 1.44 only. */
  readonly VirtualSize?: number;
  readonly Labels: Readonly<Record<string, string>> | null;
  /** −1: not counted. */
  readonly Containers: number;
}

/** `Config` of `GET /images/{name}/json`. */
export interface ImageConfigAnswer {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Env: readonly string[] | null;
  readonly Entrypoint: readonly string[] | null;
  readonly Cmd: readonly string[] | null;
  readonly Volumes: Readonly<Record<string, object>> | null;
  readonly WorkingDir: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly StopSignal?: string;
  readonly Shell?: readonly string[];
  readonly ArgsEscaped?: boolean;
  readonly OnBuild: readonly string[] | null;
  readonly Healthcheck?: object;
}

/** `GET /images/{name}/json`. */
export interface ImageInspect {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly Parent: string;
  readonly Comment: string;
  readonly Created?: string;
  readonly DockerVersion: string;
  readonly Author: string;
  readonly Config: ImageConfigAnswer | null;
  /** Of the container that a classic builder made it in; empty. */
  readonly ContainerConfig: ImageConfigAnswer;
  readonly Architecture: string;
  readonly Variant?: string;
  readonly Os: string;
  readonly OsVersion?: string;
  readonly Size: number;
  /** Answered before API 1.44 only. */
  readonly VirtualSize?: number;
  readonly GraphDriver: { readonly Name: string; readonly Data: Readonly<Record<string, string>> | null };
  readonly RootFS: { readonly Type: string; readonly Layers?: readonly string[] };
  readonly Metadata: { readonly LastTagTime: string };
  /** From API 1.48 on. */
  readonly Descriptor?: { readonly mediaType: string; readonly digest: string; readonly size: number };
}

/** One entry of `GET /images/{name}/history`. */
export interface ImageHistoryEntry {
  readonly Id: string;
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Tags: readonly string[] | null;
  readonly Size: number;
  readonly Comment: string;
}

/** One entry of `DELETE /images/{name}`. */
export type ImageDeleteEntry = { readonly Untagged: string } | { readonly Deleted: string };

/** `POST /images/prune`. */
export interface ImagesPruneAnswer {
  readonly ImagesDeleted: readonly ImageDeleteEntry[] | null;
  readonly SpaceReclaimed: number;
}

/** The JSON in `X-Registry-Auth`. */
export interface RegistryAuthHeader {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly email?: string;
  readonly serveraddress?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}
