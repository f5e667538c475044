/**
 * What a template works on: JSON's values, rows, typed nils and functions. `undefined` is Go's "no value" (a map without
 * that key), `null` a nil inside an interface.
 */
export type Value = unknown;

/** A row of a table: a Go struct with methods, seen from a template. */
export interface Row {
  /** The Go type's name, for "can't evaluate field X in type Y". */
  readonly goType: string;
  /** Field or method by name; undefined: there is none. Methods with arguments are functions. */
  readonly fields: Readonly<Record<string, () => Value>>;
  readonly methods?: Readonly<Record<string, (...args: readonly Value[]) => Value>>;
}

/** A nil that knows its type: prints `map[]`, `[]` or `<nil>`, is false, and is `null` in JSON. */
export class TypedNil {
  readonly kind: "map" | "slice" | "pointer";
  constructor(kind: TypedNil["kind"]) {
    this.kind = kind;
  }
  toJSON(): null {
    return null;
  }
}

/** A row's brand: plain objects are maps, these are structs. */
export class RowValue {
  readonly row: Row;
  constructor(row: Row) {
    this.row = row;
  }
  /** All fields by name, sorted, as Docker's `--format json` prints a row. */
  toJSON(): Record<string, Value> {
    const names = Object.keys(this.row.fields).sort();
    return Object.fromEntries(names.map((name) => [name, this.row.fields[name]?.()]));
  }
}

/** An integer whose Go type is not int: prints in full. A float that happens to be whole prints as Go's float64. */
export class GoFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
  toJSON(): number {
    return this.value;
  }
}

const dynamicMaps = new WeakSet<object>();

/** Marks an object as a Go map, whose absent keys are "no value" and not a mistake in the template. */
export function markMap<Map extends object>(map: Map): Map {
  dynamicMaps.add(map);
  return map;
}

const structs = new WeakSet<object>();

/** Marks an object as a Go struct: it prints as `{value value}`. */
export function markStruct<Struct extends object>(struct: Struct): Struct {
  structs.add(struct);
  return struct;
}

/** Whether the object was marked as a Go map. */
export function isMarkedMap(map: object): boolean {
  return dynamicMaps.has(map);
}

/** Whether the value is a Go map (a plain object). */
export function isMap(value: Value): value is Record<string, Value> {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof TypedNil) &&
    !(value instanceof RowValue) &&
    !(value instanceof GoFloat)
  );
}

/** Go's truth: nil, false, zero and everything empty are false. */
export function truth(value: Value): boolean {
  if (value === undefined || value === null || value instanceof TypedNil) return false;
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof GoFloat) return value.value !== 0;
  if (isMap(value)) return Object.keys(value).length > 0;
  return typeof value === "object" ? true : Boolean(value);
}

/** The value as a template's action prints it (`%v`). */
export function display(value: Value): string {
  return value === undefined || value === null ? "<no value>" : sprint(value);
}

/** The value as Go's fmt prints it with `%v`. */
export function sprint(value: Value): string {
  if (value === undefined || value === null) return "<nil>";
  if (typeof value === "string") return value;
  if (typeof value === "number") return goNumber(value);
  if (value instanceof GoFloat) return goFloat(value.value);
  if (value instanceof TypedNil) return { map: "map[]", slice: "[]", pointer: "<nil>" }[value.kind];
  if (Array.isArray(value)) return `[${value.map(sprint).join(" ")}]`;
  if (value instanceof RowValue) return `{${Object.values(value.toJSON()).map(sprint).join(" ")}}`;
  if (isMap(value)) {
    if (structs.has(value)) return `{${Object.values(value).map(sprint).join(" ")}}`;
    const keys = Object.keys(value).sort();
    return `map[${keys.map((key) => `${key}:${sprint(value[key])}`).join(" ")}]`;
  }
  return typeof value === "function" ? "<func>" : `${value as bigint | boolean}`;
}

/** The Go name of the value's type, for messages. */
export function goTypeOf(value: Value): string {
  if (value === undefined || value === null) return "nil";
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number" || typeof value === "bigint") return "int";
  if (value instanceof GoFloat) return "float64";
  if (value instanceof RowValue) return value.row.goType;
  if (value instanceof TypedNil) return value.kind;
  return Array.isArray(value) ? "[]interface {}" : "map[string]interface {}";
}

function goNumber(value: number): string {
  return Number.isInteger(value) ? BigInt(value).toString() : goFloat(value);
}

function goFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -4 && exponent < 21) return String(value);
  const [mantissa = "", power = ""] = value.toExponential().split("e");
  return `${mantissa}e${power.charAt(0)}${power.slice(1).padStart(2, "0")}`;
}
