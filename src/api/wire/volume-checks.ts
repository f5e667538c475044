import { anyObject, map, object, text } from "./check.ts";
import type { VolumeCreateRequest } from "./volume-types.ts";

/** Checks the body of `POST /volumes/create`; no body is an empty one. Fault `invalid` in Docker's words. */
export function checkVolumeCreate(body: unknown): VolumeCreateRequest {
  return volumeCreate(body ?? {}, "");
}

const volumeCreate = object<VolumeCreateRequest>({
  Name: text,
  Driver: text,
  DriverOpts: map(text),
  Labels: map(text),
  ClusterVolumeSpec: anyObject,
});
