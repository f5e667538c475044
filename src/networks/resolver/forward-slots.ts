/** How many queries may be asked outside at once. */
export interface SlotLimits {
  /** By all askers together; each may hold a socket. */
  readonly total: number;
  readonly eachAsker: number;
  /** Beyond these, by one asker; what comes on top is turned away. */
  readonly waitingOfEachAsker: number;
}

interface Asker {
  running: number;
  readonly waiting: (() => void)[];
}

/** Hands out the right to ask outside: askers take turns, so that one with many queries does not keep another's waiting. */
export class ForwardSlots<Key extends object> {
  readonly #limits: SlotLimits;
  readonly #askers = new Map<Key, Asker>();
  #running = 0;

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  /** Runs the work when it is the asker's turn; undefined, and not run, when the asker has too many waiting. */
  async run<Result>(key: Key, work: () => Promise<Result>): Promise<Result | undefined> {
    const asker = this.#askers.get(key) ?? { running: 0, waiting: [] };
    this.#askers.set(key, asker);
    if (asker.waiting.length >= this.#limits.waitingOfEachAsker) return undefined;
    await new Promise<void>((resolve) => {
      asker.waiting.push(resolve);
      this.#next();
    });
    try {
      return await work();
    } finally {
      this.#running--;
      asker.running--;
      this.#next();
      if (asker.running === 0 && asker.waiting.length === 0) this.#askers.delete(key);
    }
  }

  /** Starts what may start. The map's order is the order of turns: who had one goes to its end. */
  #next(): void {
    for (let started = true; started && this.#running < this.#limits.total;) {
      started = false;
      for (const [key, asker] of [...this.#askers]) {
        if (this.#running >= this.#limits.total) return;
        if (asker.running >= this.#limits.eachAsker) continue;
        const start = asker.waiting.shift();
        if (start === undefined) continue;
        this.#running++;
        asker.running++;
        this.#askers.delete(key);
        this.#askers.set(key, asker);
        start();
        started = true;
      }
    }
  }
}
