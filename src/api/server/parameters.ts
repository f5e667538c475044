import { Fault } from "#core/fault";

/** The query of a request. */
export class Parameters {
  readonly #query: URLSearchParams;

  constructor(query: URLSearchParams) {
    this.#query = query;
  }

  /** The first value; undefined when it is absent or empty. */
  text(name: string): string | undefined {
    const value = this.#query.get(name);
    return value === null || value === "" ? undefined : value;
  }

  /** Every value of a repeated parameter. */
  texts(name: string): string[] {
    return this.#query.getAll(name);
  }

  /** Docker's truth: everything but nothing, `0`, `no`, `false` and `none`. */
  flag(name: string, absent = false): boolean {
    const value = this.#query.get(name);
    return value === null ? absent : !falseWords.has(value.trim().toLowerCase());
  }

  /** A whole number. Fault `invalid` for anything else. */
  integer(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^[+-]?\d{1,15}$/.test(value)) {
      throw new Fault(
        "invalid",
        `invalid value for ${name}: strconv.Atoi: parsing "${value.slice(0, 100)}": invalid syntax`,
      );
    }
    return Number(value);
  }
}

const falseWords = new Set(["", "0", "no", "false", "none"]);
