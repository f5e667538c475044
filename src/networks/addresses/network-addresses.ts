import { Fault } from "#core/fault";
import type { Network } from "../networks.ts";
import type { NetworkRecords } from "../records.ts";
import { type Address, type Family, addressFrom, subnetFrom } from "./address.ts";
import { AddressPool, isHostAddress } from "./address-pool.ts";
import { poolOf } from "../links/bridge-plan.ts";

/** The free addresses of one network; which ones its endpoints have is in the records. */
export class NetworkAddresses {
  readonly #records: Pick<NetworkRecords, "members">;
  readonly #network: Network;
  readonly #pools: Readonly<Record<Family, AddressPool | undefined>>;

  constructor(records: Pick<NetworkRecords, "members">, network: Network) {
    this.#records = records;
    this.#network = network;
    const taken = records
      .members(network.id)
      .flatMap(({ endpoint }) => [endpoint.ipv4, endpoint.ipv6].filter((text) => text !== undefined));
    this.#pools = { 4: newPool(network, 4, taken), 6: newPool(network, 6, taken) };
  }

  /** The next free address of that family; undefined when there is none. */
  take(family: Family): Address | undefined {
    return this.#pools[family]?.take();
  }

  /** An address of somebody's own choice. Faults: `invalid` when it is none of the network's, `forbidden` when it is in use. */
  claim(text: string): Address {
    const address = addressFrom(text);
    const pool = poolOf(this.#network, address.family);
    const [free, subnet] = [this.#pools[address.family], pool && subnetFrom(pool.subnet)];
    if (free === undefined || subnet === undefined || !isHostAddress(subnet, address)) {
      throw new Fault("invalid", `no configured subnet contains IP address ${text}`, {
        remedy: `The network ${this.#network.name} has ${this.#network.ipam.pools.map((each) => each.subnet).join(" and ")}.`,
      });
    }
    if (!free.claim(address)) throw new Fault("forbidden", "Address already in use", { remedy: this.#userOf(text) });
    return address;
  }

  /** Gives addresses back; what is undefined or nobody's is passed over. */
  free(...addresses: readonly (Address | undefined)[]): void {
    for (const address of addresses) if (address !== undefined) this.#pools[address.family]?.free(address);
  }

  #userOf(text: string): string {
    const members = this.#records.members(this.#network.id);
    const user = members.find(({ endpoint }) => endpoint.ipv4 === text || endpoint.ipv6 === text);
    return user === undefined
      ? `${text} is the gateway's, or reserved in the network ${this.#network.name}.`
      : `The container ${user.containerName} has ${text}: choose another, or disconnect it.`;
  }
}

function newPool(network: Network, family: Family, taken: readonly string[]): AddressPool | undefined {
  const pool = poolOf(network, family);
  if (pool === undefined) return undefined;
  const subnet = subnetFrom(pool.subnet);
  const kept = [...taken, ...Object.values(pool.auxiliary), ...(pool.gateway === undefined ? [] : [pool.gateway])];
  const own = kept.map(addressFrom).filter((address) => address.family === family);
  return new AddressPool(subnet, pool.range === undefined ? subnet : subnetFrom(pool.range), own);
}

/** Fault `exhausted`, in Docker's words. */
export function noAddressLeft({ name, id }: Network, family: Family): Fault {
  return new Fault(
    "exhausted",
    `no available IPv${family} addresses on this network's address pools: ${name} (${id})`,
    {
      remedy: "Stop containers that are not needed, or use a network with a larger subnet.",
    },
  );
}
