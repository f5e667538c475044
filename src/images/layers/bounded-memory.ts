/** Remembers answers that never change, the last so many of them that were asked for. */
export class BoundedMemory<Value> {
  readonly #most: number;
  readonly #values = new Map<string, { readonly value: Value }>();

  constructor(most: number) {
    this.#most = most;
  }

  /** The answer, found again or found out; one that `isKept` refuses is not remembered, nor is a failure. */
  async of(key: string, find: () => Promise<Value>, isKept: (value: Value) => boolean = () => true): Promise<Value> {
    const known = this.#values.get(key);
    if (known !== undefined) {
      this.#values.delete(key);
      this.#values.set(key, known);
      return known.value;
    }
    const value = await find();
    if (!isKept(value)) return value;
    this.#values.set(key, { value });
    for (const oldest of this.#values.keys()) {
      if (this.#values.size <= this.#most) break;
      this.#values.delete(oldest);
    }
    return value;
  }
}
