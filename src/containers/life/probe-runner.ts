import { Fault } from "#core/fault";
import type { ExecSession } from "#host";
import { type ProbeFrame, probeFrames } from "./probe-frames.ts";
import { within } from "./within.ts";

/** The arguments that make the shim, which the runtime was given as descriptor 3, the runner of that command. */
export function runnerCommand(command: readonly string[]): readonly string[] {
  return ["/proc/self/fd/3", "probes", ...command];
}

/**
 * A process of ours inside the container that starts its probes (shim/probes.c), so that the runtime sets up their isolation
 * once and not at each. The container can kill it, or make it say what it likes: of its own probes, no more.
 */
export class ProbeRunner implements AsyncDisposable {
  readonly #session: ExecSession;
  readonly #frames: AsyncIterator<ProbeFrame, void, undefined>;
  readonly #over: Promise<void>;
  #isOver = false;
  /** Settles with the answer that is awaited. */
  #answer: Promise<void> | undefined;

  private constructor(session: ExecSession) {
    this.#session = session;
    this.#frames = probeFrames(session.output);
    const end = (): void => void (this.#isOver = true);
    this.#over = session.ended.then(end, end);
  }

  /** Waits until it is ready. Fault `internal` when it ends instead, or says something else. */
  static async open(session: ExecSession): Promise<ProbeRunner> {
    const runner = new ProbeRunner(session);
    try {
      const { kind } = await runner.#next();
      if (kind !== "ready") throw new Fault("internal", "the probe runner did not say that it is ready");
      return runner;
    } catch (error) {
      await runner.end();
      throw error;
    }
  }

  /** Whether it has ended. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Runs the command once, however long it takes. A Fault when the runner ends or says what it should not. */
  async run(): Promise<Exclude<ProbeFrame, { kind: "ready" }>> {
    await this.#session.write(Buffer.from("r"));
    const frame = await this.#next();
    if (frame.kind === "ready") throw new Fault("internal", "the probe runner is ready twice");
    return frame;
  }

  /** Kills the command and its process group; `run` has its answer then. A runner that gives none is killed itself. */
  async kill(): Promise<void> {
    const answer = this.#answer ?? Promise.resolve();
    await this.#session.write(Buffer.from("k")).catch(() => undefined);
    if (!(await within(answer, answerTimeMs))) await this.#session.kill();
  }

  /** Ends it, and what it runs; waits until both are gone, but not for ever. */
  async end(): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
    if (!(await within(this.#over, answerTimeMs))) await this.#session.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  async #next(): Promise<ProbeFrame> {
    const next = this.#frames.next();
    const settled = (): void => undefined;
    this.#answer = next.then(settled, settled);
    const { done, value } = await next;
    if (done === true) throw new Fault("internal", "the probe runner has ended");
    return value;
  }
}

/** Longer than the runner waits for output that somebody else could still write. */
const answerTimeMs = 4000;
