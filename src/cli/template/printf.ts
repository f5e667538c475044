import { quote } from "./quote.ts";
import { GoFloat, goTypeOf, sprint, type Value } from "./value.ts";
import { significant } from "../output/size.ts";

interface Verb {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  readonly letter: string;
}

/** Go's fmt.Sprintf for the verbs v s q d t x X o b c f F e g G T p U and %, with flags, width, precision and `*`. */
export function sprintf(format: string, args: readonly Value[]): string {
  let next = 0;
  const out = format.replace(
    /%([-+# 0]*)(\*|\d*)(?:\.(\*|\d*))?(\S|$)/gu,
    (_whole, flags: string, width: string, precision: string | undefined, letter: string) => {
      if (letter === "%") return "%";
      if (letter === "") return "%!(NOVERB)";
      const take = (text: string): number => (text === "*" ? Number(args[next++]) : Number(text));
      const wanted = take(width);
      const verb: Verb = {
        flags: wanted < 0 ? `${flags}-` : flags,
        width: Math.abs(wanted),
        precision: precision === undefined ? undefined : take(precision),
        letter,
      };
      if (next >= args.length) return `%!${letter}(MISSING)`;
      return pad(verb, render(verb, args[next++]));
    },
  );
  if (next >= args.length) return out;
  const extra = args.slice(next).map((value) => `${goTypeOf(value)}=${sprint(value)}`);
  return `${out}%!(EXTRA ${extra.join(", ")})`;
}

/** Go's fmt.Sprint: a space between operands when neither is a string. */
export function sprintAll(args: readonly Value[]): string {
  let out = "";
  for (const [index, value] of args.entries()) {
    if (index > 0 && typeof value !== "string" && typeof args[index - 1] !== "string") out += " ";
    out += sprint(value);
  }
  return out;
}

function render(verb: Verb, value: Value): string {
  switch (verb.letter) {
    case "v":
      return verb.flags.includes("#") && typeof value === "string" ? quote(value) : signed(verb, value, sprint(value));
    case "T":
      return goTypeOf(value);
    case "s":
      return typeof value === "number" || typeof value === "boolean" ? wrong(verb, value) : cut(verb, sprint(value));
    case "q":
      return renderQuoted(verb, value);
    case "t":
      return typeof value === "boolean" ? String(value) : wrong(verb, value);
    case "x":
    case "X":
      return renderHex(verb, value);
    case "d":
    case "o":
    case "b":
    case "c":
    case "U":
      return renderInteger(verb, value);
    case "f":
    case "F":
    case "e":
    case "g":
    case "G":
      return renderFloat(verb, value);
    default:
      return wrong(verb, value);
  }
}

function renderQuoted(verb: Verb, value: Value): string {
  if (Array.isArray(value)) return `[${value.map((item) => renderQuoted(verb, item)).join(" ")}]`;
  return typeof value === "string" ? quote(cut(verb, value)) : wrong(verb, value);
}

function renderHex(verb: Verb, value: Value): string {
  const number = integerOf(value);
  const digits = number === undefined ? Buffer.from(sprint(value)).toString("hex") : number.toString(16);
  const text = verb.flags.includes("#") ? `0x${digits}` : digits;
  return verb.letter === "X" ? text.toUpperCase() : text;
}

function renderInteger(verb: Verb, value: Value): string {
  if (Array.isArray(value)) return `[${value.map((item) => renderInteger(verb, item)).join(" ")}]`;
  const number = integerOf(value);
  if (number === undefined) return wrong(verb, value);
  if (verb.letter === "c") return String.fromCodePoint(Number(number));
  if (verb.letter === "U") return `U+${number.toString(16).toUpperCase().padStart(4, "0")}`;
  return signed(verb, value, number.toString({ d: 10, o: 8, b: 2 }[verb.letter] ?? 10));
}

function renderFloat(verb: Verb, value: Value): string {
  if (!(value instanceof GoFloat) && !(typeof value === "number" && !Number.isInteger(value)))
    return wrong(verb, value);
  const number = value instanceof GoFloat ? value.value : value;
  if (verb.letter === "e") return signed(verb, value, goExponent(number.toExponential(verb.precision ?? 6)));
  if (verb.letter.toLowerCase() === "g") {
    return signed(verb, value, verb.precision === undefined ? sprint(value) : significant(number, verb.precision));
  }
  return signed(verb, value, number.toFixed(verb.precision ?? 6));
}

function goExponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}

function signed(verb: Verb, value: Value, text: string): string {
  const isNumber = typeof value === "number" || value instanceof GoFloat;
  if (!isNumber || text.startsWith("-")) return text;
  return verb.flags.includes("+") ? `+${text}` : verb.flags.includes(" ") ? ` ${text}` : text;
}

function integerOf(value: Value): bigint | undefined {
  if (typeof value === "bigint") return value;
  return typeof value === "number" && Number.isInteger(value) ? BigInt(value) : undefined;
}

function cut(verb: Verb, text: string): string {
  return verb.precision === undefined ? text : Array.from(text).slice(0, verb.precision).join("");
}

function pad(verb: Verb, text: string): string {
  const missing = verb.width - Array.from(text).length;
  if (missing <= 0) return text;
  if (verb.flags.includes("-")) return text + " ".repeat(missing);
  if (!verb.flags.includes("0")) return " ".repeat(missing) + text;
  const sign = /^[+-]/.exec(text)?.[0] ?? "";
  return sign + "0".repeat(missing) + text.slice(sign.length);
}

function wrong(verb: Verb, value: Value): string {
  return `%!${verb.letter}(${value === null || value === undefined ? "<nil>" : `${goTypeOf(value)}=${sprint(value)}`})`;
}
