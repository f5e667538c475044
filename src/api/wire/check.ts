import { Fault } from "#core/fault";

/** Reads one part of a request's body: the typed value, or Fault `invalid` that names the place (`HostConfig.Memory`). */
export type Check<T> = (value: unknown, place: string) => T;

/** A string. */
export function text(value: unknown, place: string): string {
  return typeof value === "string" ? value : refuse(value, "string", place);
}

/** True or false. */
export function flag(value: unknown, place: string): boolean {
  return typeof value === "boolean" ? value : refuse(value, "bool", place);
}

/** A whole number within 64 bits; those past 2⁵³ lose their last digits, as no limit needs them. */
export function integer(value: unknown, place: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  const isInt64 = typeof value === "bigint" && BigInt.asIntN(64, value) === value;
  return isInt64 ? Number(value) : refuse(value, "int64", place);
}

/** A list; null counts as empty. */
export function list<T>(item: Check<T>): Check<readonly T[]> {
  return (value, place) => {
    if (!Array.isArray(value)) return refuse(value, "list", place);
    return value.map((part: unknown, index) => item(part, `${place}[${index}]`));
  };
}

/** A list of strings, or one string as a list of one (`Cmd`, `Entrypoint`). */
export function words(value: unknown, place: string): readonly string[] {
  return typeof value === "string" ? [value] : list(text)(value, place);
}

/** An object with free keys. */
export function map<T>(item: Check<T>): Check<Readonly<Record<string, T>>> {
  return (value, place) => {
    if (!isObject(value)) return refuse(value, "object", place);
    // fromEntries defines keys rather than sets them: `__proto__` stays an ordinary key.
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, item(part, `${place}[${key}]`)]));
  };
}

/** Null or what the other check takes. */
export function nullable<T>(check: Check<T>): Check<T | null> {
  return (value, place) => (value === null ? null : check(value, place));
}

/** Any object, as it is. */
export function anyObject(value: unknown, place: string): object {
  return isObject(value) ? value : refuse(value, "object", place);
}

/** How each field of a request's object is read. */
export type FieldChecks<T> = { readonly [Key in keyof T]-?: Check<NonNullable<T[Key]>> };

/** An object with known fields. As in Docker a null field counts as absent, names match in any case, and unknown fields are ignored. */
export function object<T extends object>(fields: FieldChecks<T>): Check<Partial<T>> {
  const checks = new Map<string, Check<unknown>>(Object.entries(fields));
  const exactNames = new Map([...checks.keys()].map((name) => [name.toLowerCase(), name]));
  return (value, place) => {
    if (!isObject(value)) return refuse(value, "object", place);
    const found: [string, unknown][] = [];
    for (const [key, part] of Object.entries(value)) {
      const name = checks.has(key) ? key : exactNames.get(key.toLowerCase());
      const check = name === undefined ? undefined : checks.get(name);
      if (name === undefined || check === undefined || part === null) continue;
      found.push([name, check(part, place === "" ? name : `${place}.${name}`)]);
    }
    return Object.fromEntries(found) as Partial<T>;
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(value: unknown, wanted: string, place: string): never {
  const got = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  const where = place === "" ? "the body" : `field ${place}`;
  throw new Fault("invalid", `invalid JSON: cannot unmarshal ${got} into ${where} of type ${wanted}`);
}
