import type { FlagTable } from "./flags/flag.ts";
import type { Parsed } from "./flags/parse.ts";
import type { Surroundings } from "./surroundings.ts";

/** What a command's `run` is given. */
export interface Invocation<Table extends FlagTable = FlagTable> extends Parsed<Table> {
  readonly around: Surroundings;
  /** The command's full name as it was typed: `slipway container ls`. */
  readonly path: string;
}

/** What a shell completes an argument with. */
export type Completed = "containers" | "running" | "images" | "networks" | "volumes" | "files";

/** One command: everything that parsing, help and running need. */
export interface Command<Table extends FlagTable = FlagTable> {
  /** What follows the name: `[OPTIONS] CONTAINER [CONTAINER...]`. */
  readonly usage: string;
  readonly summary: string;
  /** Paragraphs that teach, under the summary. */
  readonly description?: string;
  readonly examples?: readonly (readonly [command: string, meaning: string])[];
  readonly flags: Table;
  /** Least and greatest number of arguments. */
  readonly args: readonly [number, number];
  /** False: the first argument ends the flags (`run`, `exec`). */
  readonly interspersed?: boolean;
  /** Exit code when something fails that is not the container's own doing: 125 for run, create, exec. */
  readonly failureCode?: number;
  /** What the arguments are, for shell completion: all of one kind, or each of its own. */
  readonly completes?: Completed | readonly Completed[];
  /** Does the work; answers the exit code. */
  run(invocation: Invocation<Table>): Promise<number>;
}

/** Keeps the flags' types inside a command's `run` while the catalogue sees one shape. */
export function defineCommand<Table extends FlagTable>(command: Command<Table>): Command {
  return command as Command;
}

/** Ends the program with that code; the message, if any, goes to stderr as it is. */
export class ExitStatus extends Error {
  override readonly name = "ExitStatus";
  readonly code: number;
  constructor(code: number, message = "") {
    super(message);
    this.code = code;
  }
}
