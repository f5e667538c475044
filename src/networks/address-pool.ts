import { type Subnet, hostRange } from "./address.ts";

/** The free addresses of one network, in memory; what must outlive the daemon is in the endpoints' records. */
export class AddressPool {
  readonly #range: { readonly first: number; readonly last: number };
  readonly #taken: Set<number>;
  /** Where the next search begins: an address that was given back waits until the others have had their turn. */
  #next: number;

  constructor(subnet: Subnet, taken: Iterable<number>) {
    this.#range = hostRange(subnet);
    this.#next = this.#range.first;
    this.#taken = new Set(taken);
  }

  /** The next free address in order; undefined when there is none. */
  take(): number | undefined {
    const { first, last } = this.#range;
    for (let tries = last - first + 1; tries > 0; tries -= 1) {
      const candidate = this.#next;
      this.#next = candidate >= last ? first : candidate + 1;
      if (this.#taken.has(candidate)) continue;
      this.#taken.add(candidate);
      return candidate;
    }
    return undefined;
  }

  /** Gives an address back; giving back what is not taken does nothing. */
  free(address: number): void {
    this.#taken.delete(address);
  }
}
