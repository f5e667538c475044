import { Fault } from "#core/fault";
import { encodeRequest, Fields, type Frame, frameType, maxFrameBytes } from "./frame.ts";
import type { FrameSocket } from "./frame-socket.ts";

const bridgeIsFull = 54; // EXFULL
/** Room for the frame's head and the fields' own. */
const maxLinesBytes = maxFrameBytes / 2;

/**
 * Changes of network links, by one process of the zygote's that stays for as long as the daemon does: one batch after the
 * other, as the kernel itself does one at a time.
 */
export class LinkChanges {
  readonly #connect: () => Promise<FrameSocket>;
  #socket: FrameSocket | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(connect: () => Promise<FrameSocket>) {
    this.#connect = connect;
  }

  /** Applies the lines; with `each` all of them, whatever fails. */
  async apply(lines: readonly string[], each: boolean): Promise<void> {
    const turn = this.#last.then(async () => {
      for (const batch of batchesOf(lines)) await this.#applyBatch(batch, each);
    });
    this.#last = turn.catch(() => undefined);
    await turn;
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  async #applyBatch(lines: readonly string[], each: boolean): Promise<void> {
    const answer = await this.#ask(encodeRequest(frameType.links, { line: lines, each }));
    if (answer.type === frameType.failed) throw linkFault(new Fields(answer.payload));
  }

  async #ask(request: Uint8Array): Promise<Frame> {
    const socket = await this.#send(request);
    const answer = await socket.receive();
    if (answer !== undefined) return answer;
    this.close();
    throw new Fault("unavailable", "the shim's process for links went away");
  }

  /** Somebody may have killed the process while nothing was asked: what could not be sent has not been done. */
  async #send(request: Uint8Array): Promise<FrameSocket> {
    const known = this.#socket;
    if (known !== undefined && !known.closed) {
      const sent = await known.send(request).then(
        () => true,
        () => false,
      );
      if (sent) return known;
    }
    this.close();
    const socket = await this.#connect();
    this.#socket = socket;
    await socket.send(request);
    return socket;
  }
}

function linkFault(fields: Fields): Fault {
  const message = `ip failed: ${fields.text("text")}`;
  return new Fault(fields.number("errno") === bridgeIsFull ? "exhausted" : "internal", message);
}

/** What one frame can hold each. A frame begins on the host: what goes on in a namespace is led there again. */
function batchesOf(lines: readonly string[]): string[][] {
  const batches: string[][] = [];
  let bytes = maxLinesBytes;
  let place: readonly string[] = [];
  for (const line of lines) {
    bytes += line.length + 5;
    if (bytes > maxLinesBytes) {
      batches.push([...place]);
      bytes = line.length + 5;
    }
    batches.at(-1)?.push(line);
    if (line.startsWith("netns ")) place = [line];
  }
  return batches;
}
