import { parseGoBoolean } from "#core/go-boolean";
import { csvFields } from "./csv.ts";
import { parseDuration } from "../output/duration.ts";
import { parseSize } from "../output/size.ts";

/** One command-line option: how its text becomes a value, and what `--help` says of it. */
export interface Flag<Value> {
  readonly short?: string;
  readonly help: string;
  /** The type's name, as `--help` and Docker's usage texts show it; empty for switches. */
  readonly typeName: string;
  readonly initial: Value;
  /** The default as `--help` shows it; absent: none worth showing. */
  readonly defaultText?: string;
  /** What a bare `--flag` means; absent: an argument is needed. */
  readonly bareText?: string;
  /** The heading that `--help` files it under. */
  readonly group?: string;
  readonly hidden?: boolean;
  /** The new value; throws an Error whose message says what is wrong with the text. */
  parse(text: string, previous: Value, changed: boolean): Value;
}

/** What every constructor below takes beside the help text. */
export interface FlagOptions {
  readonly short?: string;
  readonly group?: string;
  readonly hidden?: boolean;
  readonly typeName?: string;
}

/** The flags of one command by name. */
// The parser knows the value's type only through its own flag, so the table erases it.
// oxlint-disable-next-line typescript/no-explicit-any
export type FlagTable = Readonly<Record<string, Flag<any>>>;

/** The values that a table of flags yields. */
export type FlagValues<Table extends FlagTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Flag<infer Value> ? Value : never;
};

/** A switch; `--x`, `--x=false` (Go's strconv.ParseBool forms). */
export function toggle(help: string, options: FlagOptions & { readonly initial?: boolean } = {}): Flag<boolean> {
  const initial = options.initial ?? false;
  return {
    ...plain(options),
    help,
    typeName: "",
    initial,
    ...(initial && { defaultText: "true" }),
    bareText: "true",
    parse: parseBool,
  };
}

/** A text. */
export function text(help: string, options: FlagOptions & { readonly initial?: string } = {}): Flag<string> {
  const initial = options.initial ?? "";
  return {
    ...plain(options),
    help,
    typeName: options.typeName ?? "string",
    initial,
    ...(initial !== "" && { defaultText: JSON.stringify(initial) }),
    parse: (given) => given,
  };
}

/** One of some words. */
export function choice(
  help: string,
  words: readonly string[],
  options: FlagOptions & { readonly initial?: string } = {},
): Flag<string> {
  return {
    ...text(help, options),
    parse(given) {
      if (!words.includes(given)) throw new Error(`must be one of ${words.map((word) => `"${word}"`).join(", ")}`);
      return given;
    },
  };
}

/** A whole number, also `0x1f` and `0b1` as Go reads it. */
export function integer(help: string, options: FlagOptions & { readonly initial?: number } = {}): Flag<number> {
  const initial = options.initial ?? 0;
  return {
    ...plain(options),
    help,
    typeName: options.typeName ?? "int",
    initial,
    ...(initial !== 0 && { defaultText: String(initial) }),
    parse: parseInteger,
  };
}

/** A list that grows with every use of the flag; `check` may refuse or rewrite an item. */
export function list(
  help: string,
  options: FlagOptions & { readonly check?: (item: string) => string } = {},
): Flag<readonly string[]> {
  return {
    ...plain(options),
    help,
    typeName: options.typeName ?? "list",
    initial: [],
    parse: (given, previous) => [...previous, options.check === undefined ? given : options.check(given)],
  };
}

/** A list that grows with every use of the flag, each of which may hold several items between commas. */
export function words(help: string, options: FlagOptions = {}): Flag<readonly string[]> {
  return {
    ...plain(options),
    help,
    typeName: options.typeName ?? "strings",
    initial: [],
    parse: (given, previous) => [...previous, ...(given === "" ? [] : csvFields(given))],
  };
}

/** A number of bytes, `64m`. */
export function bytes(help: string, options: FlagOptions & { readonly allowMinusOne?: boolean } = {}): Flag<number> {
  return {
    ...plain(options),
    help,
    typeName: "bytes",
    initial: 0,
    parse: (given) => (options.allowMinusOne === true && given === "-1" ? -1 : parseSize(given)),
  };
}

/** A duration in nanoseconds, `1m30s`. */
export function duration(help: string, options: FlagOptions = {}): Flag<number> {
  return { ...plain(options), help, typeName: "duration", initial: 0, parse: (given) => parseDuration(given) };
}

/** A count of CPUs with decimals, as 10⁻⁹ CPUs. */
export function cpus(help: string, options: FlagOptions = {}): Flag<number> {
  return {
    ...plain(options),
    help,
    typeName: "decimal",
    initial: 0,
    parse(given) {
      if (!/^\d*\.?\d+$|^\d+\.$/.test(given)) throw new Error(`failed to parse ${given} as a rational number`);
      const nanos = Number(given) * 1e9;
      if (Math.abs(nanos - Math.round(nanos)) > 1e-3) throw new Error("value is too precise");
      return Math.round(nanos);
    },
  };
}

function plain(options: FlagOptions): Pick<Flag<unknown>, "short" | "group" | "hidden"> {
  return {
    ...(options.short !== undefined && { short: options.short }),
    ...(options.group !== undefined && { group: options.group }),
    ...(options.hidden !== undefined && { hidden: options.hidden }),
  };
}

function parseBool(given: string): boolean {
  const value = parseGoBoolean(given);
  if (value !== undefined) return value;
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(given)}: invalid syntax`);
}

function parseInteger(given: string): number {
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|\d+)$/.exec(given);
  if (match === null) throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(given)}: invalid syntax`);
  const digits = match[2] ?? "0";
  const value = Number(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  if (!Number.isSafeInteger(value)) {
    throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(given)}: value out of range`);
  }
  return match[1] === "-" ? -value : value;
}
