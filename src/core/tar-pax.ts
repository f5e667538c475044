import { Fault } from "./fault.ts";

/** Parses the body of a PAX extended header: `length keyword=value\n` records; values are bytes in latin1, an empty value takes a keyword back (POSIX.1-2017 pax). */
export function parsePaxRecords(body: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at);
    const digits = space < 0 || space - at > 8 ? "" : body.toString("latin1", at, space);
    const end = /^[1-9][0-9]*$/.test(digits) ? at + Number(digits) : Number.NaN;
    if (!(end <= body.length) || end <= space + 1 || body[end - 1] !== 0x0a) throw broken();
    const equals = body.indexOf(0x3d, space + 1);
    if (equals < 0 || equals >= end) throw broken();
    const keyword = body.toString("latin1", space + 1, equals);
    const value = body.toString("latin1", equals + 1, end - 1);
    if (keyword === "" || keyword.includes("\0")) throw broken();
    if (value === "" && !keyword.startsWith("SCHILY.xattr.")) records.delete(keyword);
    else records.set(keyword, value);
    at = end;
  }
  return records;
}

/** The body of a PAX extended header. */
export function encodePaxRecords(records: ReadonlyMap<string, string>): Buffer {
  const parts = [...records].map(([keyword, value]) => {
    const rest = ` ${keyword}=${value}\n`;
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
    return `${length}${rest}`;
  });
  return Buffer.from(parts.join(""), "latin1");
}

/** A PAX time, decimal seconds with any number of digits, in nanoseconds (rounded down). */
export function parsePaxTime(text: string): bigint {
  const match = /^(-?)(\d{1,12})(?:\.(\d{0,40}))?$/.exec(text);
  if (match === null) throw new Fault("invalid", "archive has a bad PAX time");
  const fraction = match[3] ?? "";
  const size = BigInt(match[2] ?? "0") * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  if (match[1] !== "-") return size;
  return -size - (/[1-9]/.test(fraction.slice(9)) ? 1n : 0n);
}

/** Nanoseconds as a PAX time. */
export function encodePaxTime(timeNs: bigint): string {
  const size = timeNs < 0n ? -timeNs : timeNs;
  const fraction = (size % 1_000_000_000n).toString().padStart(9, "0").replace(/0+$/, "");
  return `${timeNs < 0n ? "-" : ""}${size / 1_000_000_000n}${fraction === "" ? "" : `.${fraction}`}`;
}

function broken(): Fault {
  return new Fault("invalid", "archive has a broken PAX extended header");
}
