import { canonicalAddress } from "./reverse-names.ts";
import type { ContainerNames, EndpointNames } from "./container-names.ts";

/** The addresses of a name, of both families; empty lists: the name exists and has none. */
export interface Addresses {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

/** All containers' names at one time, and who sees which of them. */
export class NamesPicture {
  readonly #containers = new Map<string, ContainerNames>();
  readonly #networks = new Map<string, NetworkNames>();

  /** How many containers are known. */
  get size(): number {
    return this.#containers.size;
  }

  get(id: string): ContainerNames | undefined {
    return this.#containers.get(id);
  }

  /** Takes up all about one container, in the place of what was known of it. */
  state(container: ContainerNames): void {
    this.forget(container.id);
    this.#containers.set(container.id, container);
    for (const endpoint of container.endpoints) {
      const network = this.#networks.get(endpoint.network) ?? new NetworkNames();
      this.#networks.set(endpoint.network, network);
      network.add(endpoint);
    }
  }

  /** Quiet when there is no such container. */
  forget(id: string): void {
    const container = this.#containers.get(id);
    this.#containers.delete(id);
    for (const endpoint of container?.endpoints ?? []) {
      const network = this.#networks.get(endpoint.network);
      network?.remove(endpoint);
      if (network?.isEmpty === true) this.#networks.delete(endpoint.network);
    }
  }

  /**
   * What the name (lower case, no dot at its end) means to the container: undefined when it is nobody's. Links come first, then
   * the container's networks in their order, in each the name alone before `name.network`; the first one with addresses of a family gives them all.
   */
  addressesOf(asker: ContainerNames, name: string): Addresses | undefined {
    const linked = this.#linked(asker, name);
    if (linked !== undefined) return linked;
    const found = asker.endpoints.flatMap((endpoint) => this.#inNetwork(endpoint, name));
    if (found.length === 0) return hostNames.has(name) ? hostAddresses(asker) : undefined;
    return { ipv4: firstWithSome(found, "ipv4"), ipv6: firstWithSome(found, "ipv6") };
  }

  /** `name.network` of the container that has the address (as `canonicalAddress` writes it) in one of the asker's networks. */
  nameOf(asker: ContainerNames, address: string): string | undefined {
    for (const { network } of asker.endpoints) {
      const holder = this.#networks.get(network)?.holderOf(address);
      const name = holder?.names[0];
      if (holder !== undefined && name !== undefined) return `${name}.${holder.networkName}`;
    }
    return undefined;
  }

  #linked(asker: ContainerNames, name: string): Addresses | undefined {
    const target = Object.hasOwn(asker.links, name) ? this.#containers.get(asker.links[name] ?? "") : undefined;
    if (target === undefined) return undefined;
    const own = new Set(asker.endpoints.map(({ network }) => network));
    const shared = target.endpoints
      .filter(({ network }) => own.has(network))
      .map((endpoint) => addressesIn([endpoint]));
    return { ipv4: firstWithSome(shared, "ipv4"), ipv6: firstWithSome(shared, "ipv6") };
  }

  #inNetwork({ network, networkName }: EndpointNames, name: string): Addresses[] {
    const names = this.#networks.get(network);
    const suffix = `.${networkName.toLowerCase()}`;
    const bare = names?.holdersOf(name) ?? [];
    const holders = bare.length > 0 || !name.endsWith(suffix) ? bare : names?.holdersOf(name.slice(0, -suffix.length));
    return holders === undefined || holders.length === 0 ? [] : [addressesIn(holders)];
  }
}

/** What Docker's desktop calls the host, and its gateway, in every container. */
const hostNames: ReadonlySet<string> = new Set(["host.docker.internal", "gateway.docker.internal"]);

function hostAddresses({ host }: ContainerNames): Addresses | undefined {
  if (host === undefined) return undefined;
  const { ipv4, ipv6 } = host;
  return { ipv4: ipv4 === undefined ? [] : [ipv4], ipv6: ipv6 === undefined ? [] : [ipv6] };
}

/** The names and addresses in one network. */
class NetworkNames {
  readonly #byName = new Map<string, EndpointNames[]>();
  readonly #byAddress = new Map<string, EndpointNames>();

  get isEmpty(): boolean {
    return this.#byName.size === 0 && this.#byAddress.size === 0;
  }

  holdersOf(name: string): readonly EndpointNames[] {
    return this.#byName.get(name) ?? [];
  }

  holderOf(address: string): EndpointNames | undefined {
    return this.#byAddress.get(address);
  }

  add(endpoint: EndpointNames): void {
    for (const name of keysOf(endpoint)) this.#byName.set(name, [...this.holdersOf(name), endpoint]);
    for (const address of addressKeysOf(endpoint)) this.#byAddress.set(address, endpoint);
  }

  remove(endpoint: EndpointNames): void {
    for (const name of keysOf(endpoint)) {
      const others = this.holdersOf(name).filter((holder) => holder !== endpoint);
      if (others.length === 0) this.#byName.delete(name);
      else this.#byName.set(name, others);
    }
    for (const address of addressKeysOf(endpoint)) {
      // The address may have gone to another container before this one was forgotten.
      if (this.#byAddress.get(address) === endpoint) this.#byAddress.delete(address);
    }
  }
}

function keysOf(endpoint: EndpointNames): Set<string> {
  return new Set(endpoint.names.map((name) => name.toLowerCase()));
}

function addressKeysOf({ ipv4, ipv6 }: EndpointNames): string[] {
  return [ipv4, ipv6].filter((address) => address !== undefined).map(canonicalAddress);
}

function addressesIn(endpoints: readonly EndpointNames[]): Addresses {
  return {
    ipv4: endpoints.map(({ ipv4 }) => ipv4).filter((address) => address !== undefined),
    ipv6: endpoints.map(({ ipv6 }) => ipv6).filter((address) => address !== undefined),
  };
}

function firstWithSome(found: readonly Addresses[], family: keyof Addresses): readonly string[] {
  return found.find((addresses) => addresses[family].length > 0)?.[family] ?? [];
}
