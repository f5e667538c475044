import type { Attachment, LogPosition, Monitor, OutputChunk, StreamName } from "#host";
import type { Session } from "../containers.ts";
import { DetachScanner } from "#core/detach-keys";

type SessionItem = OutputChunk | { readonly stream: "systemerr"; readonly text: string };

export interface SessionOptions {
  readonly tty: boolean;
  readonly streams: readonly StreamName[];
  readonly stdin: boolean;
  readonly from: "now" | LogPosition;
  /** Looked for on terminals only, as Docker does. */
  readonly detachKeys: Uint8Array;
  readonly onDetach: () => void;
  /** Called once, when the session is over in any way. */
  readonly onOver: () => void;
}

/** A client's connection to a container; it may be made before the container starts and is connected when it does. */
export class ContainerSession implements Session {
  readonly tty: boolean;
  readonly output: AsyncIterable<SessionItem>;
  readonly #options: SessionOptions;
  readonly #scanner: DetachScanner;
  /** Undefined: there will be none. */
  readonly #attachment = Promise.withResolvers<Attachment | undefined>();
  #over = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.tty = options.tty;
    this.#scanner = new DetachScanner(options.tty ? options.detachKeys : new Uint8Array());
    this.output = this.#read();
  }

  /** Connects to the container that is about to run, or runs. */
  async connect(monitor: Monitor): Promise<void> {
    if (this.#over) return;
    const { streams, stdin, from } = this.#options;
    const attachment = await monitor.attach({ streams, stdin, from, throttle: true });
    this.#attachment.resolve(attachment);
    if (this.#over) await attachment[Symbol.asyncDispose]();
  }

  /** Tells that the container will not start: the output ends. */
  abandon(): void {
    this.#attachment.resolve(undefined);
    this.#end();
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#options.stdin || this.#over) return;
    const { pass, detached } = this.#scanner.scan(bytes);
    const attachment = await this.#attachment.promise;
    if (pass.length > 0 && !this.#over) await attachment?.write(pass);
    if (!detached) return;
    this.#options.onDetach();
    await this[Symbol.asyncDispose]();
  }

  async endInput(): Promise<void> {
    if (!this.#options.stdin || this.#over) return;
    const attachment = await this.#attachment.promise;
    await attachment?.endInput();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    this.#attachment.resolve(undefined);
    const attachment = await this.#attachment.promise;
    await attachment?.[Symbol.asyncDispose]();
  }

  async *#read(): AsyncGenerator<SessionItem> {
    const attachment = await this.#attachment.promise;
    if (attachment === undefined) return;
    try {
      for await (const item of attachment.output) {
        // What a reader that detached still gets is not for it any more.
        if (this.#over) return;
        if (item.kind === "gap") {
          yield {
            stream: "systemerr",
            text: "output was lost: this reader is slower than the container's log rotates\n",
          };
          return;
        }
        yield item.chunk;
      }
    } catch (error) {
      if (!this.#over) throw error;
    } finally {
      this.#end();
    }
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.onOver();
  }
}
