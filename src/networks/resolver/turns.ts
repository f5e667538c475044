/** Somebody with work in small pieces. */
export interface Worker {
  /** Does one piece; whether there is more to do. */
  step(): boolean;
}

/** Pieces of one worker before the next one's. */
const stepsEach = 8;
/** Pieces before the event loop looks at sockets again. */
const stepsInTurn = 256;

/** Lets workers do their work in turns, so that one with much of it does not keep the others waiting. */
export class Turns {
  readonly #ring: Worker[] = [];
  readonly #ready = new Set<Worker>();
  #scheduled = false;

  /** The worker has something to do; quiet when that is known. */
  ready(worker: Worker): void {
    if (this.#ready.has(worker)) return;
    this.#ready.add(worker);
    this.#ring.push(worker);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#scheduled = false;
    for (let steps = 0; steps < stepsInTurn; steps += stepsEach) {
      const worker = this.#ring.shift();
      if (worker === undefined) break;
      this.#ready.delete(worker);
      if (work(worker)) this.ready(worker);
    }
    if (this.#ring.length === 0 || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#turn());
  }
}

function work(worker: Worker): boolean {
  for (let step = 0; step < stepsEach; step++) if (!worker.step()) return false;
  return true;
}
