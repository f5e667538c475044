import { Fault } from "#core/fault";
import type { EventSink } from "#core/event";
import type { Machine } from "#host";
import { type Address, type Family, addressFrom, subnetFrom } from "../addresses/address.ts";
import { AddressPool, isHostAddress } from "../addresses/address-pool.ts";
import type { Firewall } from "../firewall/firewall.ts";
import type { ForwardCheck } from "../firewall/forward-check.ts";
import type { FirewallWatch } from "../firewall/watch.ts";
import type { Network } from "../networks.ts";
import type { NetworkPrograms } from "../programs.ts";
import type { NetworkRecords } from "../records.ts";
import { bridgePlanOf, poolOf } from "./bridge-plan.ts";
import { forwardPackets } from "./forwarding.ts";
import { type BridgePlan, bridgeAddressLines, bridgeLines, bridgeSettings, removalLine } from "./link-commands.ts";

/** What bridges need. */
export interface BridgeWorkshop {
  readonly records: NetworkRecords;
  readonly programs: NetworkPrograms;
  readonly machine: Pick<Machine, "ipv4Forwarding">;
  readonly firewall: Firewall;
  readonly watch: FirewallWatch;
  readonly forwardCheck: ForwardCheck;
  readonly events: EventSink;
  readonly mtu: number;
  /** Written on the network's bridge: we only ever remove one that carries it. */
  aliasOf(network: Network): string;
  /** Runs what makes a missing bridge, with the network, perhaps at another place than it had. */
  making(network: Network, make: (network: Network) => Promise<void>): Promise<void>;
}

/** A bridge network on this host: its link, made with the first need, and its free addresses. */
export class Bridge {
  readonly #workshop: BridgeWorkshop;
  #network: Network;
  #plan: BridgePlan;
  #pools: Readonly<Record<Family, AddressPool | undefined>>;
  #making: Promise<void> | undefined;

  constructor(workshop: BridgeWorkshop, network: Network) {
    this.#workshop = workshop;
    this.#network = network;
    this.#plan = this.#planOf(network);
    this.#pools = this.#newPools(network);
  }

  get network(): Network {
    return this.#network;
  }

  get plan(): BridgePlan {
    return this.#plan;
  }

  get name(): string {
    return this.#plan.name;
  }

  /** The next free address of that family; undefined when there is none. */
  takeAddress(family: Family): Address | undefined {
    return this.#pools[family]?.take();
  }

  /** An address of somebody's own choice. Faults: `invalid` when it is none of the network's, `forbidden` when it is in use. */
  claimAddress(text: string): Address {
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

  freeAddress(address: Address): void {
    this.#pools[address.family]?.free(address);
  }

  /** Makes the bridge if it is not there, and the firewall. Fault `notFound` when the network was removed. */
  async ensure(): Promise<void> {
    this.#making ??= this.#make().catch((error: unknown) => {
      this.#making = undefined;
      throw error;
    });
    await this.#making;
  }

  /** Somebody removed the bridge or the table: `ensure` is to look again. */
  forget(): void {
    this.#making = undefined;
    this.#workshop.firewall.forget();
  }

  /** Removes the bridge if it is ours. */
  async remove(): Promise<void> {
    await this.#making?.catch(() => undefined);
    this.#making = undefined;
    const { programs, aliasOf } = this.#workshop;
    const [link] = await programs.ipList("link", "show", "dev", this.name);
    if ((link as { ifalias?: unknown } | undefined)?.ifalias !== aliasOf(this.#network)) return;
    await programs.ip([removalLine(this.name)]);
  }

  async #make(): Promise<void> {
    const { programs, firewall, watch, forwardCheck, making, records } = this.#workshop;
    records.mustHave(this.#network);
    const [link] = await programs.ipList("-details", "link", "show", "dev", this.name);
    if (link === undefined) {
      await making(this.#network, async (network) => {
        this.#move(network);
        await this.#setUp(bridgeLines(this.#plan));
      });
    } else if (kindOf(link) === "bridge") {
      await this.#setUp([]);
    } else {
      throw new Fault("conflict", `the link ${this.name} of this host is no bridge`, {
        remedy: "Choose another name for the bridge, or remove that link.",
      });
    }
    await forwardPackets(this.#workshop, this.#network);
    await firewall.ensure();
    watch.start();
    forwardCheck.lookSoon();
  }

  /** Settings come before an IPv6 address, which a host that has IPv6 off for new links would else refuse. */
  async #setUp(lines: readonly string[]): Promise<void> {
    const { programs } = this.#workshop;
    const addresses = bridgeAddressLines(this.#plan);
    const early = this.#plan.ipv6 === undefined ? [...lines, ...addresses] : lines;
    if (early.length > 0) await programs.ip(early);
    await programs.setKernel(bridgeSettings(this.#plan));
    if (this.#plan.ipv6 !== undefined) await programs.ip(addresses);
  }

  #move(network: Network): void {
    if (network === this.#network) return;
    this.#network = network;
    this.#plan = this.#planOf(network);
    this.#pools = this.#newPools(network);
  }

  #planOf(network: Network): BridgePlan {
    const { aliasOf, mtu } = this.#workshop;
    return bridgePlanOf(network, aliasOf(network), mtu);
  }

  #newPools(network: Network): Record<Family, AddressPool | undefined> {
    const taken = this.#workshop.records
      .members(network.id)
      .flatMap(({ endpoint }) => [endpoint.ipv4, endpoint.ipv6].filter((text) => text !== undefined));
    return { 4: newPool(network, 4, taken), 6: newPool(network, 6, taken) };
  }

  #userOf(text: string): string {
    const members = this.#workshop.records.members(this.#network.id);
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

function kindOf(link: unknown): unknown {
  return (link as { linkinfo?: { info_kind?: unknown } }).linkinfo?.info_kind;
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
