import type { VolumeAnswer } from "#api/wire";
import { rfc3339Nano } from "#core/clock";
import type { Volume } from "#volumes";

/** `GET /volumes/{name}`, and one of `GET /volumes`. */
export function volumeAnswer(volume: Volume): VolumeAnswer {
  const { name, driver, mountpoint, labels, options, status, createdNs } = volume;
  return {
    ...(createdNs > 0n && { CreatedAt: rfc3339Nano(createdNs - (createdNs % 1_000_000_000n)) }),
    Driver: driver,
    Labels: orNull(labels),
    Mountpoint: mountpoint,
    Name: name,
    Options: orNull(options),
    Scope: "local",
    ...(status !== undefined && { Status: status }),
  };
}

function orNull(values: Readonly<Record<string, string>>): Readonly<Record<string, string>> | null {
  return Object.keys(values).length === 0 ? null : values;
}
