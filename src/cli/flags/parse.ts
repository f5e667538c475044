import type { FlagTable, FlagValues } from "./flag.ts";

/** What a command line came to. */
export interface Parsed<Table extends FlagTable> {
  readonly values: FlagValues<Table>;
  /** The names of the flags that were given. */
  readonly changed: ReadonlySet<string>;
  /** What is not a flag, in order. */
  readonly args: readonly string[];
  /** Whether `--help` or `-h` (where no flag of the command takes it) was among them. */
  readonly help: boolean;
}

/** A command line that does not fit the flags; the message is pflag's. */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

/**
 * Reads a command line as pflag does: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`, `-abc`, and
 * `--` ends the flags. With `interspersed` false the first argument ends them too (`run IMAGE -x` gives -x to the image).
 */
export function parseFlags<Table extends FlagTable>(
  table: Table,
  argv: readonly string[],
  interspersed: boolean,
): Parsed<Table> {
  const reading = new Reading(table, argv);
  const args: string[] = [];
  for (let word = reading.next(); word !== undefined; word = reading.next()) {
    if (word === "--") {
      args.push(...reading.rest());
    } else if (word.startsWith("--")) {
      reading.long(word);
    } else if (word.startsWith("-") && word.length > 1) {
      reading.short(word);
    } else if (interspersed) {
      args.push(word);
    } else {
      args.push(word, ...reading.rest());
    }
    if (reading.help) break;
  }
  return { values: reading.values as FlagValues<Table>, changed: reading.changed, args, help: reading.help };
}

class Reading {
  readonly values: Record<string, unknown> = {};
  readonly changed = new Set<string>();
  help = false;
  readonly #table: FlagTable;
  readonly #argv: readonly string[];
  readonly #names = new Map<string, string>();
  #index = 0;

  constructor(table: FlagTable, argv: readonly string[]) {
    this.#table = table;
    this.#argv = argv;
    for (const [name, flag] of Object.entries(table)) {
      this.values[name] = flag.initial;
      if (flag.short !== undefined) this.#names.set(flag.short, name);
    }
  }

  next(): string | undefined {
    return this.#argv[this.#index++];
  }

  rest(): readonly string[] {
    const rest = this.#argv.slice(this.#index);
    this.#index = this.#argv.length;
    return rest;
  }

  long(word: string): void {
    const equals = word.indexOf("=");
    const name = word.slice(2, equals < 0 ? undefined : equals);
    if (name === "" || name.startsWith("-")) throw new FlagError(`bad flag syntax: ${word}`);
    if (!Object.hasOwn(this.#table, name)) {
      if (name === "help") this.help = true;
      else throw new FlagError(`unknown flag: --${name}`);
      return;
    }
    const bare = this.#table[name]?.bareText;
    const value = equals >= 0 ? word.slice(equals + 1) : (bare ?? this.next());
    if (value === undefined) throw new FlagError(`flag needs an argument: --${name}`);
    this.#set(name, value);
  }

  short(word: string): void {
    for (let index = 1; index < word.length; index++) {
      const letter = word.charAt(index);
      const name = this.#names.get(letter);
      if (name === undefined) {
        if (letter !== "h") throw new FlagError(`unknown shorthand flag: '${letter}' in -${word.slice(index)}`);
        this.help = true;
        return;
      }
      const rest = word.slice(index + 1);
      const bare = this.#table[name]?.bareText;
      if (rest.length > 1 && rest.startsWith("=")) return this.#set(name, rest.slice(1));
      if (bare !== undefined) {
        this.#set(name, bare);
        continue;
      }
      const value = rest === "" ? this.next() : rest;
      if (value === undefined) throw new FlagError(`flag needs an argument: '${letter}' in -${word.slice(index)}`);
      return this.#set(name, value);
    }
  }

  #set(name: string, given: string): void {
    const flag = this.#table[name];
    if (flag === undefined) return;
    try {
      this.values[name] = flag.parse(given, this.values[name], this.changed.has(name));
    } catch (error) {
      const title = flag.short === undefined ? `--${name}` : `-${flag.short}, --${name}`;
      throw new FlagError(
        `invalid argument ${JSON.stringify(given)} for "${title}" flag: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    this.changed.add(name);
  }
}
