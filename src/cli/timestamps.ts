import { formatTime, parseTime } from "#api/wire";

/** Reads `--since` and `--until` (RFC 3339, seconds, or a duration before now) as the seconds that every engine takes; undefined when empty. `name` is the flag's, for the message. */
export function timestamp(text: string, name?: string): string | undefined {
  if (text === "") return undefined;
  try {
    const timeNs = parseTime(text, BigInt(Date.now()) * 1_000_000n);
    return timeNs === undefined ? "0" : formatTime(timeNs);
  } catch (error) {
    const prefix = name === undefined ? "" : `invalid value for "${name}": `;
    throw new Error(`${prefix}failed to parse value as time or duration: ${JSON.stringify(text)}`, { cause: error });
  }
}

/** `2026-01-31 12:00:00 +0000 UTC`: a time as Go's String shows it; `fraction` is put behind the seconds. */
export function goTime(milliseconds: number, fraction = ""): string {
  const time = new Date(milliseconds);
  const zone = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(time);
  const name = zone.find((part) => part.type === "timeZoneName")?.value ?? "UTC";
  const stamp = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${stamp} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}${fraction} ${offset(time)} ${name}`;
}

/** A time with its zone, as RFC 3339 has it: `2026-01-31T12:00:00Z`, `2026-01-31T13:00:00+01:00`; `fraction` is put behind the seconds. */
export function rfc3339Local(milliseconds: number, fraction = ""): string {
  const time = new Date(milliseconds);
  const zone = time.getTimezoneOffset() === 0 ? "Z" : offset(time).replace(/(\d\d)$/, ":$1");
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}T${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}${fraction}${zone}`;
}

function offset(time: Date): string {
  const minutes = -time.getTimezoneOffset();
  return `${minutes < 0 ? "-" : "+"}${two(Math.trunc(Math.abs(minutes) / 60))}${two(Math.abs(minutes) % 60)}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
