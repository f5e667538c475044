import type { LogPosition, LogRecord } from "#host";

/** What a log says where output is missing, as a line without its newline. */
export function lostNote(about: "disk full" | "rotated" | "given up", bytes: number): string {
  if (about === "disk full") return `[slipway: ${bytes} bytes of output are lost here: the disk was full]`;
  const reason =
    about === "rotated" ? "the log was rotated before they could be sent" : "the target was away for too long";
  return `[slipway: about ${bytes} bytes of output are lost here: ${reason}]`;
}

/**
 * About how many bytes rotation took between a reader's position and the next record that is there: 0 when nothing is missing.
 * Segments that were in memory leave a gap in the numbers too; the record behind them says what they held.
 */
export function rotatedBytes(position: LogPosition, next: LogRecord, segmentBytes: number): number {
  if (next.lostBytes !== undefined) return 0;
  const segments = next.start.segment - position.segment;
  return segments === 0 ? 0 : Math.max(0, segments * segmentBytes - position.offset);
}
