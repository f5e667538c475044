import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { asFault, Fault } from "#core/fault";
import type { ContainerNames } from "./container-names.ts";
import { type ControlLink, connectControl } from "./control-link.ts";

/** The daemon's hand on the resolver of containers' names. */
export interface Resolver {
  /** Tells all about a container; resolves when its names answer, or after two seconds when there is trouble. */
  state(container: ContainerNames): Promise<void>;
  /** The container is gone; resolves when nobody gets its names any more, or after two seconds when there is trouble. */
  forget(id: string): Promise<void>;
  /** Lets go of the resolver, which answers on. */
  close(): void;
}

/** How the daemon reaches its resolver. */
export interface ResolverClientOptions {
  /** Where it serves. */
  readonly folder: string;
  /** Starts it; resolves when the process exists. One that finds another on the folder ends by itself. */
  readonly start: () => Promise<void>;
  /** All containers that were stated and not forgotten: a resolver that was killed hears of them again. */
  readonly picture: () => Iterable<ContainerNames>;
  /** Told once for each time that the resolver cannot be reached or refuses something. */
  readonly onTrouble: (fault: Fault) => void;
}

/** A container does not wait longer for its name. */
const waitLimitMs = 2000;
/** A process that is started listens within this, else it is started again. */
const startLimitMs = 5000;
const lookAgainMs = 20;
const firstDelayMs = 100;
const maxDelayMs = 10_000;
/** A resolver that lived this long is started again at once. */
const soundAfterMs = 5000;

/** Connects to the resolver of that folder when there is a container to tell of, starting it when none answers, now and whenever it is gone. */
export function openResolver(options: ResolverClientOptions): Resolver {
  const client = new ResolverClient(options);
  for (const _ of options.picture()) {
    client.begin();
    break;
  }
  return client;
}

interface Pending {
  readonly line: string;
  readonly done: () => void;
}

class ResolverClient implements Resolver {
  readonly #options: ResolverClientOptions;
  readonly #end = new AbortController();
  /** What was said and not acknowledged, in order. */
  readonly #pending = new Set<Pending>();
  #link: ControlLink | undefined;
  #begun = false;
  #reported = false;

  constructor(options: ResolverClientOptions) {
    this.#options = options;
  }

  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    void this.#keepConnected();
  }

  async state(container: ContainerNames): Promise<void> {
    this.begin();
    await this.#say({ op: "container", ...container });
  }

  async forget(id: string): Promise<void> {
    if (this.#begun) await this.#say({ op: "gone", id });
  }

  close(): void {
    this.#end.abort();
    this.#link?.close();
    for (const { done } of this.#pending) done();
  }

  async #say(line: object): Promise<void> {
    if (this.#end.signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const pending = { line: JSON.stringify(line), done: resolve };
    const timer = setTimeout(() => {
      this.#report(new Fault("unavailable", `the resolver of ${this.#options.folder} does not answer`));
      resolve();
    }, waitLimitMs);
    this.#pending.add(pending);
    this.#link?.say(pending.line, resolve);
    await promise;
    clearTimeout(timer);
    this.#pending.delete(pending);
  }

  /** Ends with `close`. */
  async #keepConnected(): Promise<void> {
    const { signal } = this.#end;
    for (let failures = 0; !signal.aborted;) {
      if (failures > 0) await pause(Math.min(firstDelayMs * 2 ** (failures - 1), maxDelayMs), signal);
      const connectedMs = await this.#serveOne();
      failures = connectedMs > soundAfterMs ? 0 : failures + 1;
    }
  }

  /** Connects, tells everything, and stays until the connection ends; answers how long it lasted, in milliseconds. */
  async #serveOne(): Promise<number> {
    const link = await this.#connect();
    if (link === undefined) return 0;
    const started = performance.now();
    this.#link = link;
    link.say(JSON.stringify({ op: "begin" }));
    for (const container of this.#options.picture()) {
      link.say(JSON.stringify({ op: "container", ...container }), () => undefined);
    }
    link.say(JSON.stringify({ op: "commit" }), () => (this.#reported = false));
    for (const { line, done } of this.#pending) link.say(line, done);
    await link.closed;
    this.#link = undefined;
    return performance.now() - started;
  }

  async #connect(): Promise<ControlLink | undefined> {
    const path = join(this.#options.folder, "control.sock");
    const refused = (fault: string): void => this.#report(new Fault("internal", `the resolver refuses: ${fault}`));
    const first = await connectControl(path, refused);
    if (first !== undefined) return this.#unlessClosed(first);
    try {
      await this.#options.start();
    } catch (error) {
      this.#report(asFault(error));
      return undefined;
    }
    for (const end = performance.now() + startLimitMs; performance.now() < end && !this.#end.signal.aborted;) {
      const link = await connectControl(path, refused);
      if (link !== undefined) return this.#unlessClosed(link);
      await pause(lookAgainMs, this.#end.signal);
    }
    return undefined;
  }

  #unlessClosed(link: ControlLink): ControlLink | undefined {
    if (!this.#end.signal.aborted) return link;
    link.close();
    return undefined;
  }

  #report(fault: Fault): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#options.onTrouble(fault);
  }
}

/** Sleeps, or less when the signal comes. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
