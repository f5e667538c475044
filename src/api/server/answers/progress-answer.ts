import { type ProgressMessage, progressLine, type PushResult } from "#api/wire";
import type { Progress } from "#images";

/** One line of a pull, push, load or import stream. */
export function progressText(progress: Progress): string {
  return progressLine(progressMessage(progress));
}

/** The message, with the bar as text that old clients print. */
export function progressMessage({ status, id, current, total, stream, pushed }: Progress): ProgressMessage {
  if (pushed !== undefined) {
    const { tag: Tag, digest: Digest, sizeBytes: Size } = pushed;
    return { progressDetail: {}, aux: { Tag, Digest, Size } satisfies PushResult };
  }
  if (stream !== undefined) return { stream: stream.endsWith("\n") ? stream : `${stream}\n` };
  const detail = { ...(current !== undefined && { current }), ...(total !== undefined && { total }) };
  return {
    ...(status !== undefined && { status }),
    // Clients take a line with an empty detail for a layer's line without a bar.
    ...(id !== undefined && { progressDetail: detail }),
    ...(current !== undefined && current > 0 && { progress: bar(current, total ?? 0) }),
    ...(id !== undefined && { id }),
  };
}

/** `[=====>      ]  1.2MB/3.4MB`; without a total only the first number. */
function bar(current: number, total: number): string {
  if (total <= 0 || current > total) return sizeText(current).padStart(8);
  const filled = Math.min(50, Math.floor((current / total) * 50));
  const rest = filled < 50 ? `>${" ".repeat(49 - filled)}` : "";
  return `[${"=".repeat(filled)}${rest}] ${sizeText(current).padStart(8)}/${sizeText(total)}`;
}

/** Decimal units with four digits, as Docker writes sizes. */
function sizeText(sizeBytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = sizeBytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${units[unit] ?? ""}`;
}
