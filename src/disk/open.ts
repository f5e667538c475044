import { Fault } from "#core/fault";
import { collectToBudget } from "./collect.ts";
import type { BudgetState, Collection, Disk, DiskFinding, DiskOptions } from "./disk.ts";
import { Scrub } from "./scrub.ts";
import { budgetState } from "./usage.ts";

/** Whoever fills a disk without us is noticed so late. */
const lookMs = 300_000;
/** Several pulls end at about the same time. */
const nudgedMs = 1_000;

/** Opens the room, and begins its work in the background. */
export function openDisk(options: DiskOptions): Disk {
  return new DiskKeeper(options);
}

class DiskKeeper implements Disk {
  readonly #options: DiskOptions;
  readonly #scrub: Scrub;
  readonly #end = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #nudge: NodeJS.Timeout | undefined;
  /** Collections follow each other. */
  #collecting: Promise<unknown> = Promise.resolve();
  #looking: Promise<void> | undefined;
  #scrubbing: Promise<void> | undefined;
  #isChecking = false;
  /** Of the last look. */
  #last: BudgetState | undefined;
  /** The budget cannot be kept, and that was said. */
  #isTold = false;

  constructor(options: DiskOptions) {
    this.#options = options;
    this.#scrub = new Scrub(options, (finding) => this.#report(finding));
    this.#timer = setInterval(() => {
      this.#look();
      this.#scrubbing ??= this.#scrubDue().finally(() => (this.#scrubbing = undefined));
    }, lookMs).unref();
    this.nudge();
  }

  async state(): ReturnType<Disk["state"]> {
    const isMeasured = this.#options.budget.kind === "size";
    return isMeasured && this.#last !== undefined ? this.#last : await budgetState(this.#options);
  }

  async collect({ dryRun }: { readonly dryRun: boolean }): Promise<Collection> {
    const mine = this.#collecting.then(async () => await collectToBudget(this.#options, dryRun));
    this.#collecting = mine.catch(() => undefined);
    const { collected: _, ...found } = await mine;
    this.#last = { ...found, usedBytes: found.usedBytes - (dryRun ? 0 : found.reclaimedBytes) };
    return await mine;
  }

  nudge(): void {
    if (this.#nudge !== undefined || this.#end.signal.aborted) return;
    this.#nudge = setTimeout(() => {
      this.#nudge = undefined;
      this.#look();
    }, nudgedMs).unref();
  }

  async *check({ repair }: { readonly repair: boolean }, signal: AbortSignal): AsyncGenerator<DiskFinding, void, void> {
    if (this.#isChecking) throw new Fault("conflict", "a check is already running");
    this.#isChecking = true;
    const { images, containers } = this.#options;
    const isContainer = (name: string): boolean => containers.ownsRoot(name);
    try {
      yield* images.check({ repair, isContainer }, AbortSignal.any([signal, this.#end.signal]));
      for (const { text, outcome } of await containers.checkFolders({ repair }))
        yield { kind: "container folder", text, outcome };
    } finally {
      this.#isChecking = false;
    }
  }

  async close(): Promise<void> {
    this.#end.abort();
    clearInterval(this.#timer);
    clearTimeout(this.#nudge);
    await this.#collecting;
    await this.#looking;
    await this.#scrubbing;
  }

  /** One look at a time; what comes meanwhile may be too late for it, and is looked at after it. */
  #look(): void {
    if (this.#looking !== undefined) {
      void this.#looking.then(() => this.nudge());
      return;
    }
    this.#looking = this.#lookOnce().finally(() => (this.#looking = undefined));
  }

  async #lookOnce(): Promise<void> {
    const { budget, log } = this.#options;
    if (budget.kind === "off") return;
    try {
      this.#tellShortage(await this.collect({ dryRun: false }));
    } catch (error) {
      log.warn(`the disk budget was not looked after: ${String(error)}`);
    }
  }

  async #scrubDue(): Promise<void> {
    try {
      await this.#scrub.step(this.#end.signal);
    } catch (error) {
      if (!this.#end.signal.aborted) this.#options.log.warn(`stored blobs were not checked: ${String(error)}`);
    }
  }

  /** Said once, when nothing can be done about it. */
  #tellShortage({ usedBytes, limitBytes, reclaimedBytes }: Collection): void {
    const isOver = usedBytes - reclaimedBytes > limitBytes;
    if (isOver && !this.#isTold) {
      const facts = { used: String(usedBytes - reclaimedBytes), budget: String(limitBytes) };
      this.#options.log.warn(
        "the disk budget is passed, and nothing that may go is left: see slipway system df",
        facts,
      );
    }
    this.#isTold = isOver;
  }

  #report(finding: DiskFinding): void {
    this.#options.log.warn(`${finding.text}; see slipway system check`);
    const attributes = { kind: finding.kind, finding: finding.text };
    this.#options.events.emit({ type: "daemon", action: "check", actorId: "", attributes });
  }
}
