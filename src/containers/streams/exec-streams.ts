import type { ExecSession, OutputChunk } from "#host";
import type { ExecSpec, Session } from "../containers.ts";
import { DetachScanner } from "#core/detach-keys";
import { parseDetachKeys } from "./detach-keys.ts";

/** A client's connection to an exec. Its output ends after the exit code is known, so that an inspect right behind it has it. */
export class ExecStreams implements Session {
  readonly tty: boolean;
  readonly output: AsyncIterable<OutputChunk>;
  readonly #session: ExecSession;
  readonly #ended: Promise<void>;
  readonly #wanted: ExecSpec["attach"];
  readonly #scanner: DetachScanner;
  readonly #onDetach: () => void;
  #over = false;

  constructor(spec: ExecSpec, session: ExecSession, ended: Promise<void>, onDetach: () => void) {
    this.tty = spec.tty;
    this.#wanted = spec.attach;
    this.#session = session;
    this.#ended = ended;
    this.#scanner = new DetachScanner(spec.tty ? parseDetachKeys(spec.detachKeys) : new Uint8Array());
    this.#onDetach = onDetach;
    this.output = this.#read();
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#over || !this.#wanted.stdin) return;
    const { pass, detached } = this.#scanner.scan(bytes);
    if (pass.length > 0) await this.#session.write(pass);
    if (!detached) return;
    this.#onDetach();
    await this[Symbol.asyncDispose]();
  }

  async endInput(): Promise<void> {
    if (!this.#over && this.#wanted.stdin) await this.#session.endInput();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await this.#session[Symbol.asyncDispose]();
  }

  async *#read(): AsyncGenerator<OutputChunk> {
    try {
      for await (const chunk of this.#session.output) if (this.#wanted[chunk.stream]) yield chunk;
      if (!this.#over) await this.#ended;
    } catch (error) {
      if (!this.#over) throw error;
    } finally {
      this.#over = true;
    }
  }
}
