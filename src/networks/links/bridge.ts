import { Fault } from "#core/fault";
import type { EventSink } from "#core/event";
import type { Machine } from "#host";
import { NetworkAddresses } from "../addresses/network-addresses.ts";
import type { NetworkPresence } from "../drivers/driver.ts";
import type { Firewall } from "../firewall/firewall.ts";
import type { ForwardCheck } from "../firewall/forward-check.ts";
import type { Network } from "../networks.ts";
import type { NetworkPrograms } from "../programs.ts";
import type { NetworkRecords } from "../records.ts";
import { bridgePlanOf } from "./bridge-plan.ts";
import { forwardPackets } from "./forwarding.ts";
import { findLink } from "./host-links.ts";
import { type BridgePlan, removalLine } from "./link-commands.ts";
import { isForeign, makeBridges } from "./make-bridges.ts";

/** What bridges need. */
export interface BridgeWorkshop {
  readonly records: NetworkRecords;
  readonly programs: NetworkPrograms;
  readonly machine: Pick<Machine, "ipv4Forwarding" | "hasLink">;
  readonly firewall: Firewall;
  /** What notices when somebody takes bridges or rules away. */
  readonly watch: { start(): void };
  readonly forwardCheck: ForwardCheck;
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
  #isBeingMade = false;
  #isMade = false;
  #isForeign = false;

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

  /** Whether it is to be on the host: it was made, and not removed since. */
  get isMade(): boolean {
    return this.#isMade;
  }

  /** Whether it is being made at this moment. */
  get isBeingMade(): boolean {
    return this.#isBeingMade;
  }

  /** Waits until it is made, or could not be. */
  async settled(): Promise<void> {
    await this.#making?.catch(() => undefined);
  }

  /** Whether somebody else made it. */
  get isForeign(): boolean {
    return this.#isForeign;
  }

  /** Makes the bridge if it is not there, and the firewall. Fault `notFound` when the network was removed. */
  async ensure(): Promise<void> {
    if (this.#making === undefined) this.madeBy(this.#make());
    await this.#making;
  }

  /** Somebody makes it, or uses one that is there: `ensure` waits for that, and tries itself when it fails. */
  madeBy(work: Promise<void>, isForeign = this.#isForeign): void {
    this.#isForeign = isForeign;
    this.#isBeingMade = true;
    this.#making = work.then(
      () => {
        this.#isBeingMade = false;
        this.#isMade = true;
      },
      (error: unknown) => {
        this.#isBeingMade = false;
        this.#making = undefined;
        throw error;
      },
    );
    // Whoever waits for it is told.
    this.#making.catch(() => undefined);
  }

  /** Somebody removed the bridge or the table: `ensure` is to look again. One that is being made just now is looked at as it is. */
  forget(): void {
    if (!this.#isBeingMade) this.#making = undefined;
    this.#workshop.firewall.forget();
  }

  /** Removes the bridge if it is ours. */
  async remove(): Promise<void> {
    this.#isMade = false;
    await this.settled();
    this.#making = undefined;
    this.#isMade = false;
    const { programs } = this.#workshop;
    const link = await findLink(programs, this.name);
    if (link === undefined || isForeign(this.#plan, link)) return;
    await programs.links([removalLine(this.name)]);
  }

  async #make(): Promise<void> {
    const { programs, machine, firewall, watch, forwardCheck, making, records } = this.#workshop;
    records.mustHave(this.#network);
    const link = machine.hasLink(this.name) ? await findLink(programs, this.name) : undefined;
    this.#isForeign = isForeign(this.#plan, link);
    if (link === undefined) {
      await making(this.#network, async (network) => {
        this.#move(network);
        await makeBridges(programs, [this.#plan], []);
      });
    } else if (link.kind === "bridge") {
      await makeBridges(programs, [this.#plan], [link]);
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
