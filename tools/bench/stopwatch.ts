import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/**
 * Times commands in a small shell, as somebody at a terminal would: a large process (like this one) would pay for copying its page
 * tables at each fork, and flatter what we compare it with.
 */
export class Stopwatch implements AsyncDisposable {
  readonly #shell: ChildProcess;
  readonly #lines: AsyncIterator<string, undefined>;

  constructor() {
    this.#shell = spawn("bash", ["--norc", "-s"], { stdio: ["pipe", "pipe", "inherit"] });
    if (this.#shell.stdout === null) throw new Error("no pipe");
    this.#lines = createInterface({ input: this.#shell.stdout })[Symbol.asyncIterator]() as AsyncIterator<
      string,
      undefined
    >;
  }

  /** Runs a command line of the shell; answers its milliseconds. Throws when it does not end with 0. */
  async time(command: string): Promise<number> {
    const script = `s=$EPOCHREALTIME; ${command} >/dev/null; c=$?; e=$EPOCHREALTIME; echo "$s $e $c"\n`;
    this.#shell.stdin?.write(script);
    const { value } = await this.#lines.next();
    if (value === undefined) throw new Error("the shell ended");
    const [start, end, code] = value.replaceAll(".", "").replaceAll(",", "").split(" ").map(Number);
    if (code !== 0 || start === undefined || end === undefined) throw new Error(`${command} ended with ${code}`);
    return (end - start) / 1000;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#shell.stdin?.end();
    await new Promise((resolve) => this.#shell.once("exit", resolve));
  }
}
