import type { Socket } from "node:net";
import { encodeRecord, type MessageRecord, RecordReader } from "./records.ts";
import type { Turns, Worker } from "./turns.ts";

/** Answers one message of a container; an answer may come at once or later, or never. */
export type Answer = (connection: QueryConnection, containerId: string, record: MessageRecord) => void;

const maxBufferedBytes = 128 * 1024;
/** With so much written and unread, nothing more is taken from the monitor. */
const maxUnreadBytes = 256 * 1024;
/** With so much, answers that come late are dropped: the container asks again. */
const maxLateBytes = 1024 * 1024;
const greetingLimitMs = 5000;

/** A monitor's connection: takes its records when it is its turn, and writes answers once for each turn of the event loop. */
export class QueryConnection implements Worker {
  readonly #socket: Socket;
  readonly #turns: Turns;
  readonly #answer: Answer;
  readonly #reader = new RecordReader();
  #out: Buffer[] = [];

  constructor(socket: Socket, turns: Turns, answer: Answer) {
    this.#socket = socket;
    this.#turns = turns;
    this.#answer = answer;
    const timer = setTimeout(() => this.#closeUnlessGreeted(), greetingLimitMs);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("drain", () => turns.ready(this));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => clearTimeout(timer));
  }

  step(): boolean {
    if (this.#socket.destroyed || this.#socket.writableLength > maxUnreadBytes) return false;
    try {
      const record = this.#reader.next();
      if (record === undefined) {
        if (this.#socket.isPaused()) this.#socket.resume();
        return false;
      }
      this.#answer(this, this.#reader.containerId ?? "", record);
      return true;
    } catch {
      this.#socket.destroy(); // it speaks something else
      return false;
    }
  }

  /** Sends an answer, together with the others of this turn of the event loop. */
  send(record: MessageRecord): void {
    if (this.#socket.destroyed || this.#socket.writableLength > maxLateBytes) return;
    this.#out.push(encodeRecord(record));
    if (this.#out.length === 1) queueMicrotask(() => this.#flush());
  }

  #take(chunk: Buffer): void {
    this.#reader.push(chunk);
    if (this.#reader.bufferedBytes > maxBufferedBytes) this.#socket.pause();
    this.#turns.ready(this);
  }

  #flush(): void {
    const bytes = Buffer.concat(this.#out);
    this.#out = [];
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }

  #closeUnlessGreeted(): void {
    if (this.#reader.containerId === undefined) this.#socket.destroy();
  }
}
