/** The door of `cli/`: argv in, exit code out. Commands are loaded only when they run. */
import { catalogue, coming, findEntry, groups } from "./catalogue.ts";
import { type Command, ExitStatus } from "./command.ts";
import { FlagError, parseFlags } from "./flags/parse.ts";
import { chooseHost, globalFlags, type GlobalValues } from "./globals.ts";
import { openSurroundings } from "./open-surroundings.ts";

/** Runs one command line (without the program's name); answers the exit code, and prints what went wrong. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    return await dispatch(argv);
  } catch (error) {
    return report(error);
  }
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const { values, args, help } = readGlobals(argv);
  if (values.version && args.length === 0) {
    const { productVersion } = await import("#api/wire");
    process.stdout.write(`Slipway version ${productVersion}\n`);
    return 0;
  }
  if (args[0] === "help") return await showHelp(args.slice(1));
  const { name, rest } = splitName(args);
  if (help || name === "") return await showHelp(args);
  const command = await findCommand(name, rest);
  if (command === undefined) return await showHelp([name]);
  const { mayStart, host } = chooseHost(values, process.env);
  const around = openSurroundings({ host, mayStart, globals: values });
  return await runCommand(command, `slipway ${name}`, rest, around);
}

function readGlobals(argv: readonly string[]): ReturnType<typeof parseFlags<typeof globalFlags>> {
  try {
    return parseFlags(globalFlags, argv, false);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    throw new ExitStatus(
      125,
      `${error.message}\n\nUsage:  slipway [OPTIONS] COMMAND [ARG...]\n\nRun 'slipway --help' for more information`,
    );
  }
}

/** Splits `container ls -a` into the command's name and what follows it; names a group alone when nothing fits in it. */
function splitName(words: readonly string[]): { name: string; rest: readonly string[] } {
  const [first = "", second] = words;
  if (Object.hasOwn(groups, first)) {
    if (second === undefined || second.startsWith("-")) return { name: first, rest: words.slice(1) };
    return { name: `${first} ${second}`, rest: words.slice(2) };
  }
  // `build history rm`: commands of a command, which are no arguments of it.
  for (const length of [3, 2]) {
    const name = words.slice(0, length).join(" ");
    if (words.length >= length && findEntry(name) !== undefined) return { name, rest: words.slice(length) };
  }
  return { name: first === "--help" ? "" : first, rest: words.slice(1) };
}

async function findCommand(name: string, rest: readonly string[]): Promise<Command | undefined> {
  if (Object.hasOwn(groups, name)) {
    const odd = rest.find((word) => word !== "--help" && word !== "-h");
    if (odd !== undefined)
      throw new ExitStatus(125, `unknown flag: ${odd}\n\nRun 'slipway ${name} --help' for more information`);
    return undefined;
  }
  const entry = findEntry(name);
  if (entry !== undefined) return await entry.load();
  if (coming.has(name)) throw new ExitStatus(1, `slipway: 'slipway ${name}' is not supported yet`);
  const [group = ""] = name.split(" ");
  const isGroup = Object.hasOwn(groups, group) && name.includes(" ");
  const near = isGroup ? undefined : nearest(name);
  throw new ExitStatus(
    1,
    `slipway: unknown command: slipway ${name}\n\n` +
      (isGroup ? `Usage:  slipway ${group}\n\n` : near === undefined ? "" : `Did you mean 'slipway ${near}'?\n\n`) +
      `Run 'slipway${isGroup ? ` ${group}` : ""} --help' for more information`,
  );
}

async function runCommand(
  command: Command,
  path: string,
  argv: readonly string[],
  around: ReturnType<typeof openSurroundings>,
): Promise<number> {
  const parsed = parseCommand(command, path, argv);
  if (parsed.help) {
    const { commandHelp } = await import("./usage.ts");
    process.stdout.write(commandHelp(command, path, process.stdout.columns ?? 80));
    return 0;
  }
  checkArgs(command, path, parsed.args.length);
  try {
    return await command.run({ ...parsed, around, path });
  } catch (error) {
    if (error instanceof ExitStatus) throw error;
    const text = await explain(error, around.debug);
    if (command.failureCode !== undefined) {
      throw new ExitStatus(command.failureCode, `slipway: ${text}\n\nRun '${path} --help' for more information`);
    }
    throw new ExitStatus((await import("./each.ts")).exitCodeFor(error), text);
  } finally {
    around.close();
  }
}

function parseCommand(command: Command, path: string, argv: readonly string[]): ReturnType<typeof parseFlags> {
  try {
    return parseFlags(command.flags, argv, command.interspersed ?? true);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    throw new ExitStatus(
      125,
      `${error.message}\n\nUsage:  ${path} ${command.usage}\n\nRun '${path} --help' for more information`,
    );
  }
}

function checkArgs(command: Command, path: string, given: number): void {
  const [least, most] = command.args;
  if (given >= least && given <= most) return;
  const plural = (count: number): string => `${count} argument${count === 1 ? "" : "s"}`;
  const wanted =
    most === 0
      ? "accepts no arguments"
      : least === most
        ? `requires ${plural(least)}`
        : most === Infinity
          ? `requires at least ${plural(least)}`
          : least === 0
            ? `requires at most ${plural(most)}`
            : `requires at least ${least} and at most ${plural(most)}`;
  const see = least !== most && most === Infinity ? "See" : "Run";
  throw new ExitStatus(
    1,
    `slipway: '${path}' ${wanted}\n\nUsage:  ${path} ${command.usage}\n\n${see} '${path} --help' for more information`,
  );
}

async function showHelp(words: readonly string[]): Promise<number> {
  const usage = await import("./usage.ts");
  const { name } = splitName(words.filter((word) => word !== "--help" && word !== "-h"));
  if (Object.hasOwn(groups, name)) process.stdout.write(usage.groupHelp(name));
  else if (name === "") process.stdout.write(usage.programHelp(globalFlags, process.stdout.columns ?? 80));
  else {
    const entry = findEntry(name);
    if (entry === undefined) throw new ExitStatus(1, `unknown help topic: ${name}`);
    process.stdout.write(usage.commandHelp(await entry.load(), `slipway ${name}`, process.stdout.columns ?? 80));
  }
  return 0;
}

/** The words for a failure; `-D` asks for the stack too. */
async function explain(error: unknown, debug: boolean): Promise<string> {
  if (debug && error instanceof Error && error.stack !== undefined) return error.stack;
  return (await import("./each.ts")).wordsOf(error);
}

async function report(error: unknown): Promise<number> {
  if (error instanceof ExitStatus) {
    if (error.message !== "") process.stderr.write(`${error.message}\n`);
    return error.code;
  }
  process.stderr.write(`${await explain(error, false)}\n`);
  return 1;
}

/** The command that was probably meant: one letter off, or the start of one. */
function nearest(name: string): string | undefined {
  if (name.length < 2) return undefined;
  return Object.keys(catalogue).find(
    (known) => !known.includes("_") && (known.startsWith(name) || oneEditApart(known, name)),
  );
}

function oneEditApart(left: string, right: string): boolean {
  if (Math.abs(left.length - right.length) > 1) return false;
  let start = 0;
  while (start < left.length && left[start] === right[start]) start++;
  let end = 0;
  while (end < Math.min(left.length, right.length) - start && left.at(-1 - end) === right.at(-1 - end)) end++;
  return Math.max(left.length, right.length) - start - end <= 1;
}

export type { GlobalValues };
