import { NetworkAddresses } from "../addresses/network-addresses.ts";
import { removalLine } from "../links/link-commands.ts";
import type { Network } from "../networks.ts";
import type { NetworkPresence } from "./driver.ts";
import type { ParentDriverParts } from "./parent-driver.ts";
import { kernelFault, missingParent } from "./parent-faults.ts";
import { type ParentPlan, madeParentLines, parentPlanOf } from "./parent-plan.ts";

/** A macvlan or ipvlan network on this host: its parent, and its free addresses. */
export class ParentNetwork implements NetworkPresence {
  readonly #parts: ParentDriverParts;
  readonly #plan: ParentPlan;
  readonly network: Network;
  readonly addresses: NetworkAddresses;
  #making: Promise<void> | undefined;
  /** The parent's, as it was last seen. */
  #parentMac: string | undefined;

  constructor(parts: ParentDriverParts, network: Network) {
    this.#parts = parts;
    this.network = network;
    this.#plan = parentPlanOf(network);
    this.addresses = new NetworkAddresses(parts.records, network);
  }

  get fixedMac(): string | undefined {
    if (this.#plan.kind === "ipvlan") return "";
    return this.#plan.mode === "passthru" ? this.#parentMac : undefined;
  }

  /** Looks each time: the parent may be a card that somebody pulls. */
  async ensure(): Promise<void> {
    this.#parts.records.mustHave(this.network);
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined;
    });
    await this.#making;
  }

  /** Waits while somebody makes its parent. */
  async settled(): Promise<void> {
    await this.#making?.catch(() => undefined);
  }

  async #make(): Promise<void> {
    const { parent, made } = this.#plan;
    this.#parentMac = await this.#macOf(parent);
    if (this.#parentMac !== undefined) return;
    if (made === undefined || (made.kind === "vlan" && (await this.#macOf(made.base)) === undefined)) {
      throw missingParent(this.#plan);
    }
    const { programs, names } = this.#parts;
    try {
      await programs.ip(madeParentLines(this.#plan, names.parentAlias));
    } catch (error) {
      // Somebody, perhaps another network of ours, made it at the same time.
      if (!String(error).includes("File exists")) {
        await programs.linksEach([removalLine(parent)]);
        throw kernelFault(error, this.#plan, made.kind);
      }
    }
    this.#parentMac = await this.#macOf(parent);
  }

  /** Undefined when there is no such link. */
  async #macOf(name: string): Promise<string | undefined> {
    const [link] = (await this.#parts.programs.ipList("link", "show", "dev", name)) as { address?: string }[];
    return link === undefined ? undefined : (link.address ?? "");
  }
}
