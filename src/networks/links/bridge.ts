import { Fault } from "#core/fault";
import type { EventSink } from "#core/event";
import type { Machine } from "#host";
import { NetworkAddresses } from "../addresses/network-addresses.ts";
import type { NetworkPresence } from "../drivers/driver.ts";
import type { Firewall } from "../firewall/firewall.ts";
import type { FirewallWatch } from "../firewall/watch.ts";
import type { Network } from "../networks.ts";
import type { NetworkPrograms } from "../programs.ts";
import type { NetworkRecords } from "../records.ts";
import { bridgePlanOf } from "./bridge-plan.ts";
import { forwardPackets } from "./forwarding.ts";
import { type BridgePlan, bridgeAddressLines, bridgeLines, bridgeSettings, removalLine } from "./link-commands.ts";

/** What bridges need. */
export interface BridgeWorkshop {
  readonly records: NetworkRecords;
  readonly programs: NetworkPrograms;
  readonly machine: Pick<Machine, "ipv4Forwarding">;
  readonly firewall: Firewall;
  readonly watch: FirewallWatch;
  readonly events: EventSink;
  readonly mtu: number;
  /** Written on the network's bridge: we only ever remove one that carries it. */
  aliasOf(network: Network): string;
  /** Runs what makes a missing bridge, with the network, perhaps at another place than it had. */
  making(network: Network, make: (network: Network) => Promise<void>): Promise<void>;
}

/** A bridge network on this host: its link, made with the first need, and its free addresses. */
export class Bridge implements NetworkPresence {
  readonly #workshop: BridgeWorkshop;
  #network: Network;
  #plan: BridgePlan;
  #addresses: NetworkAddresses;
  #making: Promise<void> | undefined;

  constructor(workshop: BridgeWorkshop, network: Network) {
    this.#workshop = workshop;
    this.#network = network;
    this.#plan = this.#planOf(network);
    this.#addresses = new NetworkAddresses(workshop.records, network);
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

  get addresses(): NetworkAddresses {
    return this.#addresses;
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
    const { programs, firewall, watch, making, records } = this.#workshop;
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
    this.#addresses = new NetworkAddresses(this.#workshop.records, network);
  }

  #planOf(network: Network): BridgePlan {
    const { aliasOf, mtu } = this.#workshop;
    return bridgePlanOf(network, aliasOf(network), mtu);
  }
}

function kindOf(link: unknown): unknown {
  return (link as { linkinfo?: { info_kind?: unknown } }).linkinfo?.info_kind;
}
