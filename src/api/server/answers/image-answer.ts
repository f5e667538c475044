import {
  apiVersion,
  type ApiVersion,
  type ImageConfigAnswer,
  type ImageHistoryEntry,
  type ImageInspect,
  type ImageSummary,
} from "#api/wire";
import { rfc3339Nano, zeroTime } from "#core/clock";
import type { ContainerDefaults } from "#core/oci";
import type { HistoryStep, Image } from "#images";

/** What is counted only when it is asked for. */
export interface ImageCounts {
  readonly containers: number;
  readonly sharedBytes: number;
}

/** One entry of `GET /images/json`. */
export function imageSummary(image: Image, version: ApiVersion, counts?: ImageCounts): ImageSummary {
  return {
    Id: image.id,
    ParentId: "",
    RepoTags: image.repoTags,
    RepoDigests: image.repoDigests,
    Created: Number(image.createdNs / 1_000_000_000n),
    Size: image.sizeBytes,
    SharedSize: counts?.sharedBytes ?? -1,
    ...(version < apiVersion("1.44") && { VirtualSize: image.sizeBytes }),
    Labels: image.config.config?.Labels ?? null,
    Containers: counts?.containers ?? -1,
  };
}

/** `GET /images/{name}/json`. */
export function imageInspect(image: Image, version: ApiVersion): ImageInspect {
  const { config } = image;
  const history = config.history ?? [];
  return {
    Id: image.id,
    RepoTags: image.repoTags,
    RepoDigests: image.repoDigests,
    Parent: "",
    Comment: history.at(-1)?.comment ?? "",
    ...createdField(config.created, version),
    DockerVersion: "",
    Author: config.author ?? "",
    Config: imageConfig(config.config ?? {}),
    // Docker left it out from API 1.45 on, and Docker Compose 1, which asks for the newest, could no longer recreate a container.
    ContainerConfig: imageConfig({}),
    Architecture: config.architecture,
    ...(config.variant !== undefined && { Variant: config.variant }),
    Os: config.os,
    ...(config["os.version"] !== undefined && { OsVersion: config["os.version"] }),
    Size: image.sizeBytes,
    ...(version < apiVersion("1.44") && { VirtualSize: image.sizeBytes }),
    GraphDriver: { Name: "overlay2", Data: null },
    RootFS: {
      Type: config.rootfs.type,
      ...(config.rootfs.diff_ids.length > 0 && { Layers: config.rootfs.diff_ids }),
    },
    Metadata: { LastTagTime: image.lastTaggedNs === undefined ? zeroTime : rfc3339Nano(image.lastTaggedNs) },
  };
}

/** One entry of `GET /images/{name}/history`. */
export function historyEntry(step: HistoryStep): ImageHistoryEntry {
  return {
    Id: step.id,
    Created: step.createdSeconds,
    CreatedBy: step.createdBy,
    Tags: step.tags.length === 0 ? null : step.tags,
    Size: step.sizeBytes,
    Comment: step.comment,
  };
}

/** From 1.44 on a missing time is left out; before it was Go's zero time. */
function createdField(created: string | undefined, version: ApiVersion): { readonly Created?: string } {
  if (created !== undefined) return { Created: created };
  return version < apiVersion("1.44") ? { Created: zeroTime } : {};
}

function imageConfig(config: ContainerDefaults): ImageConfigAnswer {
  return {
    ...(config.User !== undefined && config.User !== "" && { User: config.User }),
    ...(config.ExposedPorts !== undefined && { ExposedPorts: config.ExposedPorts }),
    Env: config.Env ?? null,
    Entrypoint: config.Entrypoint ?? null,
    Cmd: config.Cmd ?? null,
    Volumes: config.Volumes ?? null,
    WorkingDir: config.WorkingDir ?? "",
    Labels: config.Labels ?? null,
    OnBuild: config.OnBuild ?? null,
    ...(config.StopSignal !== undefined && { StopSignal: config.StopSignal }),
    ...(config.Shell !== undefined && config.Shell !== null && { Shell: config.Shell }),
    ...(config.ArgsEscaped === true && { ArgsEscaped: true }),
    ...(config.Healthcheck !== undefined && { Healthcheck: config.Healthcheck }),
  };
}
