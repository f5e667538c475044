const decimalUnits = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
const binaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];
const binaryPowers: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3, t: 4, p: 5 };

/** Bytes for a person, in thousands, with that many significant digits: `4.26MB`. */
export function humanSize(sizeBytes: number, significantDigits = 4): string {
  return scaled(sizeBytes, 1000, decimalUnits, significantDigits);
}

/** Bytes for a person, in 1024s: `23.52GiB`. */
export function binarySize(sizeBytes: number): string {
  return scaled(sizeBytes, 1024, binaryUnits, 4);
}

/** Reads `64m`, `1.5g`, `512kb`, `2GiB` as bytes in powers of 1024, as Docker does; throws an Error otherwise. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d*)?|\.\d+) ?([kmgtp]?)(?:i?b)?$/i.exec(text.trim());
  if (match === null) {
    const suffix = /^[\d.]+ ?([a-z]+)$/i.exec(text.trim())?.[1];
    throw new Error(suffix === undefined ? `invalid size: '${text}'` : `invalid suffix: '${suffix}'`);
  }
  const power = binaryPowers[(match[2] ?? "").toLowerCase()] ?? 0;
  const size = Math.trunc(Number(match[1]) * 1024 ** power);
  if (!Number.isSafeInteger(size)) throw new Error(`invalid size: '${text}'`);
  return size;
}

/** The number as C's `%.Ng` prints it: N significant digits, no trailing zeros. */
export function significant(value: number, digits: number): string {
  if (value === 0) return "0";
  const exponent = Number(value.toExponential(digits - 1).split("e")[1]);
  if (exponent < -4 || exponent >= digits) {
    const [mantissa = "", power = "0"] = value.toExponential(digits - 1).split("e");
    const sign = power.startsWith("-") ? "-" : "+";
    return `${trimZeros(mantissa)}e${sign}${power.replace(/^[+-]/, "").padStart(2, "0")}`;
  }
  return trimZeros(value.toFixed(Math.max(0, digits - 1 - exponent)));
}

function scaled(sizeBytes: number, base: number, units: readonly string[], digits: number): string {
  let size = sizeBytes;
  let unit = 0;
  while (size >= base && unit < units.length - 1) {
    size /= base;
    unit++;
  }
  return `${significant(size, digits)}${units[unit] ?? ""}`;
}

function trimZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}
