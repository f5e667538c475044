import type { ProgressMessage } from "#api/wire";
import { write } from "../surroundings.ts";
import { humanSize } from "./size.ts";

/**
 * Shows the messages of a pull, load or import as they come: on a terminal one line for each layer with a bar, rewritten
 * in place; otherwise plain lines without the bars.
 */
export async function showProgress(
  messages: AsyncIterable<ProgressMessage>,
  stream: NodeJS.WriteStream,
  onAux: (aux: unknown) => void = () => undefined,
): Promise<void> {
  const display = new Display(stream.isTTY ? (stream.columns ?? 80) : undefined);
  for await (const message of messages) {
    if (message.aux !== undefined) onAux(message.aux);
    const text = display.render(message);
    if (text !== "") await write(stream, text);
  }
}

/** Turns messages into text and cursor movements. `columns` undefined: no terminal. */
export class Display {
  readonly #columns: number | undefined;
  /** Line of each id, counted from the first one. */
  readonly #lines = new Map<string, number>();

  constructor(columns: number | undefined) {
    this.#columns = columns;
  }

  render(message: ProgressMessage): string {
    if (message.stream !== undefined) return message.stream;
    if (message.status === undefined) return "";
    const bar = this.#bar(message);
    if (this.#columns === undefined) {
      return bar === "" ? `${titled(message)}\n` : "";
    }
    if (message.id === undefined || message.progressDetail === undefined) {
      // A plain line ends the block of bars: what follows starts a new one below.
      this.#lines.clear();
      return `${titled(message)}\n`;
    }
    return this.#inPlace(message.id, `${titled(message)}${bar === "" ? "" : ` ${bar}`}`, this.#columns);
  }

  #inPlace(id: string, text: string, columns: number): string {
    const cut = Array.from(text).slice(0, columns).join("");
    const known = this.#lines.get(id);
    if (known === undefined) {
      this.#lines.set(id, this.#lines.size);
      return `${cut}\n`;
    }
    const up = this.#lines.size - known;
    return `\x1b[${up}A\x1b[2K\r${cut}\r\x1b[${up}B`;
  }

  #bar({ progressDetail }: ProgressMessage): string {
    const current = progressDetail?.current ?? 0;
    const total = progressDetail?.total ?? 0;
    if (current <= 0 && total <= 0) return "";
    if (total <= 0) return humanSize(current).padStart(8);
    const sizes =
      current > total ? humanSize(current).padStart(8) : `${humanSize(current).padStart(8)}/${humanSize(total)}`;
    const width = Math.min(50, (this.#columns ?? 0) - 60);
    if (width < 10) return sizes;
    const filled = Math.min(width, Math.floor((current / total) * width));
    return `[${"=".repeat(filled)}>${" ".repeat(width - filled)}]  ${sizes}`;
  }
}

function titled(message: ProgressMessage): string {
  return message.id === undefined || message.id === ""
    ? (message.status ?? "")
    : `${message.id}: ${message.status ?? ""}`;
}
