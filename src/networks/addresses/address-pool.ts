import { type Address, type Family, type Subnet, contains, hostRange, lastOf } from "./address.ts";

/** The free addresses of one subnet, in memory; what must outlive the daemon is in the endpoints' records. */
export class AddressPool {
  readonly #family: Family;
  readonly #range: { readonly first: bigint; readonly last: bigint };
  readonly #taken = new Set<bigint>();
  /** Where the next search begins: an address that was given back waits until the others have had their turn. */
  #next: bigint;

  /**
   * @param range - the part of the subnet that addresses are given from
   * @param taken - addresses that are somebody's for as long as the pool lives, or until they are freed
   */
  constructor(subnet: Subnet, range: Subnet, taken: Iterable<Address>) {
    this.#family = subnet.family;
    const whole = hostRange(subnet);
    // A range inside the subnet has no network or broadcast address of its own.
    this.#range = { first: max(whole.first, range.base), last: min(whole.last, lastOf(range).value) };
    this.#next = this.#range.first;
    for (const { value } of taken) this.#taken.add(value);
  }

  /** The next free address in order; undefined when there is none. */
  take(): Address | undefined {
    const { first, last } = this.#range;
    // Of those in use, at most all lie before the first free one.
    for (let tries = BigInt(this.#taken.size) + 1n; tries > 0n; tries -= 1n) {
      const candidate = this.#next;
      this.#next = candidate >= last ? first : candidate + 1n;
      if (this.#taken.has(candidate)) continue;
      this.#taken.add(candidate);
      return { family: this.#family, value: candidate };
    }
    return undefined;
  }

  /** Takes that very address; false when it is somebody's. */
  claim({ value }: Address): boolean {
    if (this.#taken.has(value)) return false;
    this.#taken.add(value);
    return true;
  }

  /** Gives an address back; giving back what is not taken does nothing. */
  free({ value }: Address): void {
    this.#taken.delete(value);
  }
}

/** Whether an interface of the subnet may have the address. */
export function isHostAddress(subnet: Subnet, address: Address): boolean {
  const { first, last } = hostRange(subnet);
  return contains(subnet, address) && address.value >= first && address.value <= last;
}

function max(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}

function min(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}
