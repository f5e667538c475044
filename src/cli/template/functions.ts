import { toJson } from "#api/wire";
import { sprintAll, sprintf } from "./printf.ts";
import { GoFloat, goTypeOf, isMap, RowValue, sprint, truth, TypedNil, type Value } from "./value.ts";

/** A function that templates may call; throws an Error with Go's wording. */
export type TemplateFunction = (...args: Value[]) => Value;

/** Go's built-in functions and Docker's additions; `and` and `or` are evaluated lazily by the evaluator. */
export const functions: Readonly<Record<string, TemplateFunction>> = {
  json: (value) => jsonText(value),
  split: (text, separator) => words(text).split(words(separator)),
  join: (items, separator) => listOf(items).map(sprint).join(words(separator)),
  title: (text) =>
    words(text).replace(
      /(^|[^\p{L}\p{Nd}_'])(\p{Ll})/gu,
      (_, before, letter) => `${String(before)}${String(letter).toUpperCase()}`,
    ),
  lower: (text) => words(text).toLowerCase(),
  upper: (text) => words(text).toUpperCase(),
  pad: (text, before, after) =>
    words(text) === "" ? "" : " ".repeat(whole(before)) + words(text) + " ".repeat(whole(after)),
  truncate: (text, length) => Array.from(words(text)).slice(0, whole(length)).join(""),
  and: (...args) => args.find((value) => !truth(value)) ?? args.at(-1),
  or: (...args) => args.find(truth) ?? args.at(-1),
  not: (value) => !truth(value),
  len: lengthOf,
  index: (collection, ...keys) => keys.reduce(elementOf, collection),
  slice: sliceOf,
  print: (...args) => sprintAll(args),
  printf: (format, ...args) => sprintf(words(format), args),
  println: (...args) => `${args.map(sprint).join(" ")}\n`,
  html: (...args) => escapeHtml(sprintAll(args)),
  js: (...args) =>
    JSON.stringify(sprintAll(args))
      .slice(1, -1)
      .replaceAll("'", "\\'")
      .replaceAll("<", "\\u003C")
      .replaceAll(">", "\\u003E"),
  urlquery: (...args) => encodeURIComponent(sprintAll(args)).replaceAll("%20", "+"),
  call: (callee, ...args) => {
    if (typeof callee !== "function") throw new Error("call of non-function");
    return (callee as TemplateFunction)(...args);
  },
  eq: (first, ...others) => {
    if (others.length === 0) throw new Error("missing argument for comparison");
    return others.some((other) => equal(first, other));
  },
  ne: (first, second) => !equal(first, second),
  lt: (first, second) => compare(first, second) < 0,
  le: (first, second) => compare(first, second) <= 0,
  gt: (first, second) => compare(first, second) > 0,
  ge: (first, second) => compare(first, second) >= 0,
};

/** JSON as Go's encoder writes it without HTML escapes. */
export function jsonText(value: Value): string {
  return toJson(value ?? null)
    .replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029");
}

function words(value: Value): string {
  if (typeof value === "string") return value;
  throw new Error(`wrong type for value; expected string; got ${goTypeOf(value)}`);
}

function whole(value: Value): number {
  if (typeof value === "number" && Number.isInteger(value)) return Math.max(0, value);
  throw new Error(`wrong type for value; expected int; got ${goTypeOf(value)}`);
}

function listOf(value: Value): readonly Value[] {
  if (Array.isArray(value)) return value;
  if (value instanceof TypedNil) return [];
  throw new Error(`wrong type for value; expected []string; got ${goTypeOf(value)}`);
}

function lengthOf(value: Value): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (value instanceof TypedNil) return 0;
  if (isMap(value)) return Object.keys(value).length;
  throw new Error(value === undefined || value === null ? "len of nil pointer" : `len of type ${goTypeOf(value)}`);
}

function elementOf(collection: Value, key: Value): Value {
  if (collection === undefined || collection === null) throw new Error("index of untyped nil");
  if (Array.isArray(collection) || typeof collection === "string") {
    if (typeof key !== "number") throw new Error(`cannot index slice/array with type ${goTypeOf(key)}`);
    if (key < 0 || key >= collection.length) throw new Error(`index out of range: ${key}`);
    return typeof collection === "string" ? collection.charCodeAt(key) : (collection as readonly Value[])[key];
  }
  if (collection instanceof TypedNil) {
    if (collection.kind === "map") return "";
    throw new Error(`index out of range: ${sprint(key)}`);
  }
  if (!isMap(collection)) throw new Error(`can't index item of type ${goTypeOf(collection)}`);
  if (typeof key !== "string") throw new Error(`value has type ${goTypeOf(key)}; should be string`);
  if (Object.hasOwn(collection, key)) return collection[key];
  // Go answers the zero value of the map's elements: for a map of texts that is an empty one.
  return Object.values(collection).every((value) => typeof value === "string") ? "" : undefined;
}

function sliceOf(value: Value, ...bounds: Value[]): Value {
  const [from = 0, to] = bounds.map(whole);
  if (typeof value !== "string" && !Array.isArray(value))
    throw new Error(`can't slice item of type ${goTypeOf(value)}`);
  const end = to ?? value.length;
  if (from > end || end > value.length) throw new Error(`index out of range: ${end}`);
  return value.slice(from, end) as Value;
}

function escapeHtml(text: string): string {
  const escapes: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&#34;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => escapes[character] ?? character);
}

function basic(value: Value): string | number | bigint | boolean | null {
  if (value instanceof GoFloat) return value.value;
  if (value === undefined || value === null || value instanceof TypedNil) return null;
  if (
    typeof value === "string" ||
    typeof value === "number" ||
    typeof value === "boolean" ||
    typeof value === "bigint"
  ) {
    return value;
  }
  throw new Error(
    value instanceof RowValue
      ? "invalid type for comparison"
      : `non-comparable type ${sprint(value)}: ${goTypeOf(value)}`,
  );
}

function equal(first: Value, second: Value): boolean {
  const left = basic(first);
  const right = basic(second);
  if (left === null || right === null) return left === right;
  if (typeof left !== typeof right) throw new Error("incompatible types for comparison");
  return left === right;
}

function compare(first: Value, second: Value): number {
  const left = basic(first);
  const right = basic(second);
  if (left === null || right === null || typeof left === "boolean") throw new Error("invalid type for comparison");
  if (typeof left !== typeof right) throw new Error("incompatible types for comparison");
  return left < right ? -1 : left > right ? 1 : 0;
}
