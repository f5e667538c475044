const nsPerSecond = 1_000_000_000n;

/** `2026-01-31T12:00:00Z`. */
export function rfc3339(timeNs: bigint): string {
  return `${seconds(timeNs)}Z`;
}

/** `2026-01-31T12:00:00.123456Z`. */
export function rfc3339Micro(timeNs: bigint): string {
  return `${seconds(timeNs)}.${((timeNs % nsPerSecond) / 1000n).toString().padStart(6, "0")}Z`;
}

/** `Jan  2 15:04:05`, in the machine's own time, as RFC 3164 has it. */
export function syslogStamp(timeNs: bigint): string {
  const date = new Date(Number(timeNs / 1_000_000n));
  const two = (number: number): string => String(number).padStart(2, "0");
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${months[date.getMonth()]} ${String(date.getDate()).padStart(2)} ${clock}`;
}

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

function seconds(timeNs: bigint): string {
  return new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 19);
}
