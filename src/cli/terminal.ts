import type { Surroundings } from "./surroundings.ts";

/** A terminal's size, in characters. */
export interface Size {
  readonly rows: number;
  readonly columns: number;
}

/** The size of the terminal that we write to; undefined when there is none. */
export function terminalSize(around: Surroundings): Size | undefined {
  const { columns, rows } = around.stdout;
  return around.stdout.isTTY && columns > 0 && rows > 0 ? { rows, columns } : undefined;
}

/**
 * Hands every key to us unchanged until disposed. The terminal gets its mode back at disposal, at any exit (Node resets
 * it then, also for an uncaught error) and at the signals that would end us without one.
 */
export function enterRawMode(around: Surroundings): Disposable {
  const { stdin } = around;
  if (!stdin.isTTY || process.env["NORAW"] !== undefined) return { [Symbol.dispose]: () => undefined };
  stdin.setRawMode(true);
  const leave = (): void => void stdin.setRawMode(false);
  const endings = (["SIGTERM", "SIGHUP"] as const).map((name) => {
    const end = (): void => {
      // With a proxy of signals listening, the container decides what the signal means.
      if (process.listenerCount(name) > 1) return;
      leave();
      process.exit(128 + (name === "SIGTERM" ? 15 : 1));
    };
    process.on(name, end);
    return { name, end };
  });
  return {
    [Symbol.dispose]() {
      for (const { end, name } of endings) process.off(name, end);
      leave();
    },
  };
}

/** Refuses `-t` with an input that is no terminal, in Docker's words; throws an Error. */
export function checkTerminal(around: Surroundings, attachStdin: boolean, tty: boolean): void {
  if (attachStdin && tty && !around.stdin.isTTY) throw new Error("the input device is not a TTY");
}

/** Tells the engine the terminal's size, now and whenever it changes; a container that is just starting is asked again. */
export async function followSize(
  around: Surroundings,
  resize: (size: Size) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const send = async (): Promise<boolean> => {
    const size = terminalSize(around);
    if (size === undefined) return true;
    try {
      await resize(size);
      return true;
    } catch {
      return false;
    }
  };
  const changed = (): void => void send();
  around.stdout.on("resize", changed);
  signal.addEventListener("abort", () => around.stdout.off("resize", changed), { once: true });
  for (let tries = 1; tries <= 10 && !signal.aborted; tries++) {
    if (await send()) return;
    await new Promise((resolve) => setTimeout(resolve, tries * 10));
  }
}
