import { apiVersion, type ApiVersion, type BuildCacheEntry, type BuildRecordAnswer } from "#api/wire";
import type { BuildRecord, CacheRecord } from "#build";
import { rfc3339Nano } from "#core/clock";

/** A record of the build cache; before API 1.42 it names one parent. */
export function buildCacheEntry(record: CacheRecord, version: ApiVersion): BuildCacheEntry {
  const { parents } = record;
  return {
    ID: record.id,
    ...(version < apiVersion("1.42") && { Parent: parents[0] ?? "" }),
    ...(version >= apiVersion("1.42") && parents.length > 0 && { Parents: parents }),
    Type: record.type,
    Description: record.description,
    InUse: record.inUse,
    Shared: record.shared,
    Size: record.sizeBytes,
    CreatedAt: rfc3339Nano(record.createdNs),
    LastUsedAt: record.lastUsedNs === undefined ? null : rfc3339Nano(record.lastUsedNs),
    UsageCount: record.usageCount,
  };
}

/** A build that was, or runs. */
export function buildRecordAnswer(record: BuildRecord): BuildRecordAnswer {
  return {
    ID: record.id,
    Name: record.name,
    Started: rfc3339Nano(record.startedNs),
    ...(record.endedNs !== undefined && { Ended: rfc3339Nano(record.endedNs) }),
    Status: record.status,
    ...(record.error !== undefined && { Error: record.error }),
    Steps: record.steps,
    CachedSteps: record.cachedSteps,
    ...(record.imageId !== undefined && { ImageID: record.imageId }),
    Tags: record.tags,
  };
}
