import { Fault } from "#core/fault";
import type { NetworkPrograms } from "../programs.ts";
import {
  type FirewallPlan,
  type NetworkRules,
  type Publication,
  addNetworksText,
  publishText,
  removalText,
  removeNetworksText,
  rulesetOf,
  tablesOf,
  withdrawText,
} from "./ruleset.ts";

/**
 * Keeps the instance's nftables table as the plan says. Changes go one after the other, those that wait together as one
 * transaction; when the table does not fit a change any more (somebody flushed it), the whole of it is written anew.
 */
export class Firewall {
  readonly #programs: NetworkPrograms;
  readonly #table: string;
  readonly #planNow: () => PlanNow;
  #waiting: Change[] = [];
  #working: Promise<void> | undefined;
  #whole: Promise<void> | undefined;
  /** What was last written whole, and how it looks since. */
  #written:
    | { readonly tables: readonly string[]; readonly copies: boolean; readonly shape: string | undefined }
    | undefined;

  /** @param planNow - the plan after all changes so far; asked when the whole table is written */
  constructor(programs: NetworkPrograms, table: string, planNow: () => PlanNow) {
    this.#programs = programs;
    this.#table = table;
    this.#planNow = planNow;
  }

  /** Writes the whole table, unless that was done already. */
  async ensure(): Promise<void> {
    this.#whole ??= this.replace().catch((error: unknown) => {
      this.#whole = undefined;
      throw error;
    });
    await this.#whole;
  }

  /** Whether the table is as it was written, but for its elements; true while there is none to be. */
  async isWhole(): Promise<boolean> {
    await this.#working;
    const written = this.#written;
    if (this.#whole === undefined || written?.shape === undefined) return true;
    return (await this.#programs.nftShape(written.tables)) === written.shape;
  }

  /** Somebody may have changed the table: `ensure` is to write it anew. */
  forget(): void {
    this.#whole = undefined;
  }

  /** Adds a network that the plan already has. */
  async addNetwork(rules: NetworkRules): Promise<void> {
    await this.#change(addNetworksText(this.#table, [rules]));
  }

  /** Takes a network out that the plan no longer has. */
  async removeNetwork(rules: NetworkRules): Promise<void> {
    await this.#change(removeNetworksText(this.#table, [rules]));
  }

  /** Writes the whole table. */
  async replace(): Promise<void> {
    await this.#change(undefined);
  }

  /** Publishes ports that the plan already has. */
  async publish(publications: readonly Publication[]): Promise<void> {
    await this.#change(this.#canTake(publications) ? publishText(this.#table, publications) : undefined);
  }

  /** Takes ports back that the plan no longer has. */
  async withdraw(publications: readonly Publication[]): Promise<void> {
    await this.#change(withdrawText(this.#table, publications));
  }

  /** Leads ports elsewhere: there is no moment without them. The plan has the new way already. */
  async republish(old: readonly Publication[], fresh: readonly Publication[]): Promise<void> {
    const text = withdrawText(this.#table, old) + publishText(this.#table, fresh);
    await this.#change(this.#canTake(fresh) ? text : undefined);
  }

  /** Removes the table. */
  async remove(): Promise<void> {
    this.#whole = undefined;
    this.#written = undefined;
    await this.#working;
    await this.#programs.nft(removalText(this.#table));
  }

  /** Whether the table was written for what these need. */
  #canTake(publications: readonly Publication[]): boolean {
    return this.#written?.copies === true || !publications.some(({ judged }) => judged);
  }

  /** Applies the text, or the whole plan when there is none. */
  async #change(text: string | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ text, resolve, reject });
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
    await promise;
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const changes = this.#waiting;
      this.#waiting = [];
      try {
        await this.#apply(changes);
        for (const change of changes) change.resolve();
      } catch (error) {
        for (const change of changes) change.reject(error);
      }
    }
  }

  async #apply(changes: readonly Change[]): Promise<void> {
    const texts = changes.map(({ text }) => text);
    if (texts.every((text) => text !== undefined)) {
      try {
        await this.#programs.nft(texts.join(""));
        return;
      } catch {
        // Below: the whole table, which says what is wrong if that fails too.
      }
    }
    const { judges, ...plan } = this.#planNow();
    let copies = true;
    try {
      await this.#programs.nft(rulesetOf({ table: this.#table, ...plan, copies }));
    } catch (error) {
      if (!isAboutCopies(error)) throw error;
      if (judges) throw withRemedy(error);
      copies = false;
      await this.#programs.nft(rulesetOf({ table: this.#table, ...plan, copies }));
    }
    const tables = tablesOf({ table: this.#table, copies });
    this.#written = { tables, copies, shape: await this.#programs.nftShape(tables) };
  }
}

/** A kernel that cannot copy packets. */
function isAboutCopies(error: unknown): error is Fault {
  return error instanceof Fault && /\bdup to\b/.test(error.message);
}

function withRemedy(error: Fault): Fault {
  return new Fault(
    "unsupported",
    `this kernel cannot ask the host's firewall about published ports: ${error.message}`,
    {
      cause: error,
      remedy:
        "Load nft_dup_ipv4 and nft_dup_ipv6, or publish past the host's firewall: `slipway daemon --firewall docker`.",
    },
  );
}

/** What the table must have at this moment. */
export interface PlanNow extends Pick<FirewallPlan, "networks" | "publications"> {
  /** Whether ports are judged by the host's input chains. */
  readonly judges: boolean;
}

interface Change {
  readonly text: string | undefined;
  resolve(): void;
  reject(reason: unknown): void;
}
