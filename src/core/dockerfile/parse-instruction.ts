import type {
  ArgInstruction,
  Command,
  CommandInstruction,
  FromInstruction,
  Instruction,
  OnbuildInstruction,
  PairsInstruction,
  Raw,
  ShellInstruction,
  WordInstruction,
  WordsInstruction,
} from "./dockerfile.ts";
import { readFlags } from "./flags.ts";
import type { JoinedLine } from "./joined-line.ts";
import { jsonWords } from "./json-words.ts";
import { suggestion } from "./likely-word.ts";
import { parseCopy } from "./parse-copy.ts";
import { parseHealthcheck } from "./parse-healthcheck.ts";
import { parseRun } from "./parse-run.ts";
import { splitAtBlanks, splitWords } from "./split-words.ts";
import { SyntaxFault } from "./syntax-fault.ts";
import { placeOf, takeApart, type Written } from "./instruction-reader.ts";

/** Checks and reads one instruction. Faults: `SyntaxFault`, in BuildKit's words. */
export function parseInstruction(written: Written): Instruction | FromInstruction {
  const name = written.keyword.text.toUpperCase();
  const parse = Object.hasOwn(instructions, name) ? instructions[name] : undefined;
  if (parse !== undefined) return parse(written);
  const hint = suggestion(written.keyword.text, Object.keys(instructions));
  throw new SyntaxFault(`unknown instruction: ${written.keyword.text}${hint}`, written.keyword.span);
}

const instructions: Readonly<Record<string, (written: Written) => Instruction | FromInstruction>> = {
  ADD: (written) => parseCopy(written, "add"),
  ARG: parseArg,
  CMD: (written) => parseCommand(written, "cmd"),
  COPY: (written) => parseCopy(written, "copy"),
  ENTRYPOINT: (written) => parseCommand(written, "entrypoint"),
  ENV: (written) => parsePairs(written, "env"),
  EXPOSE: (written) => parseWords(written, "expose"),
  FROM: parseFrom,
  HEALTHCHECK: parseHealthcheck,
  LABEL: (written) => parsePairs(written, "label"),
  MAINTAINER: (written) => parseWord(written, "maintainer"),
  ONBUILD: parseOnbuild,
  RUN: parseRun,
  SHELL: parseShell,
  STOPSIGNAL: (written) => parseWord(written, "stopsignal"),
  USER: (written) => parseWord(written, "user"),
  VOLUME: (written) => parseWords(written, "volume"),
  WORKDIR: (written) => parseWord(written, "workdir"),
};

function parseFrom(written: Written): FromInstruction {
  const [image, as, name, more] = splitAtBlanks(written.rest);
  const isNamed = as?.text.toLowerCase() === "as" && name !== undefined && more === undefined;
  if (image === undefined || (as !== undefined && !isNamed))
    throw new SyntaxFault("FROM requires either one or three arguments", written.span);
  if (isNamed && !/^[a-z][a-z0-9-_.]*$/i.test(name.text)) {
    const message = `invalid name for build stage: ${JSON.stringify(name.text)}, name can't start with a number or contain symbols`;
    throw new SyntaxFault(message, name.span);
  }
  const platform = readFlags(written.flags, { platform: "one" }).get("platform")?.[0];
  return {
    kind: "from",
    ...placeOf(written),
    image: image.raw,
    ...(isNamed && { name: name.raw }),
    ...(platform !== undefined && { platform }),
  };
}

function parseArg(written: Written): ArgInstruction {
  readFlags(written.flags, {});
  const args = splitWords(written.rest, written.escape).map((word) => {
    const { name, value } = splitPair(word);
    if (name.text === "") throw new SyntaxFault("ARG names can not be blank", word.span);
    return value === undefined ? { name: name.raw } : { name: name.raw, value: value.raw };
  });
  if (args.length === 0) throw atLeastOne("ARG", written);
  const description = args.map(({ name }) => descriptionOf(name.text, written.comments)).find(Boolean);
  return { kind: "arg", ...placeOf(written), args, ...(description !== undefined && { description }) };
}

/** What the comments above say of that name: the line that begins with it. */
export function descriptionOf(name: string, comments: readonly string[]): string | undefined {
  return comments.find((comment) => comment.startsWith(`${name} `))?.slice(name.length + 1);
}

function parseCommand(written: Written, kind: "cmd" | "entrypoint"): CommandInstruction {
  readFlags(written.flags, {});
  return { kind, ...placeOf(written), command: commandOf(written.rest) };
}

/** The words of a JSON array, or a line for the shell; nothing at all is a command without words. */
function commandOf(rest: JoinedLine): Command {
  if (rest.text === "") return { form: "exec", args: [] };
  const words = jsonWords(rest);
  if (words === undefined) return { form: "shell", text: rest.text };
  return { form: "exec", args: words.map(({ text }) => text) };
}

function parsePairs(written: Written, kind: "env" | "label"): PairsInstruction {
  const name = kind.toUpperCase();
  readFlags(written.flags, {});
  const words = splitWords(written.rest, written.escape);
  if (words[0] === undefined) throw atLeastOne(name, written);
  const legacy = !words[0].text.includes("=");
  const pairs = legacy ? [legacyPair(written, name)] : words.map((word) => pairOf(word, name));
  return { kind, ...placeOf(written), pairs, legacy };
}

function legacyPair({ rest }: Written, instruction: string): { name: Raw; value: Raw } {
  const [, name = "", blanks = ""] = /^([^\t\v\f\r ]*)([\t\v\f\r ]*)/.exec(rest.text) ?? [];
  const value = rest.slice(name.length + blanks.length);
  if (value.text === "") throw new SyntaxFault(`${instruction} must have two arguments`, rest.span);
  return { name: rest.slice(0, name.length).raw, value: value.raw };
}

function pairOf(word: JoinedLine, instruction: string): { name: Raw; value: Raw } {
  const { name, value } = splitPair(word);
  if (value === undefined) {
    const message = `Syntax error - can't find = in ${JSON.stringify(word.text)}. Must be of the form: name=value`;
    throw new SyntaxFault(message, word.span);
  }
  if (name.text === "") throw new SyntaxFault(`${instruction} names can not be blank`, word.span);
  return { name: name.raw, value: value.raw };
}

function splitPair(word: JoinedLine): { name: JoinedLine; value: JoinedLine | undefined } {
  const equals = word.text.indexOf("=");
  if (equals < 0) return { name: word, value: undefined };
  return { name: word.slice(0, equals), value: word.slice(equals + 1) };
}

function parseWords(written: Written, kind: "expose" | "volume"): WordsInstruction {
  readFlags(written.flags, {});
  const json = kind === "volume" ? jsonWords(written.rest) : undefined;
  const words = json ?? splitAtBlanks(written.rest).map((word) => word.raw);
  if (words.length === 0) throw atLeastOne(kind.toUpperCase(), written);
  const blank = words.find(({ text }) => text.trim() === "");
  if (blank !== undefined) throw new SyntaxFault("VOLUME specified can not be an empty string", blank.span);
  return { kind, ...placeOf(written), words };
}

/** All that is left of the line is the one word: a folder's name may have blanks in it. */
function parseWord(written: Written, kind: WordInstruction["kind"]): WordInstruction {
  readFlags(written.flags, {});
  if (written.rest.text === "")
    throw new SyntaxFault(`${kind.toUpperCase()} requires exactly one argument`, written.span);
  return { kind, ...placeOf(written), word: written.rest.raw };
}

function parseShell(written: Written): ShellInstruction {
  readFlags(written.flags, {});
  const words = jsonWords(written.rest);
  if (words?.length === 0 || written.rest.text === "") throw atLeastOne("SHELL", written);
  if (words === undefined) throw new SyntaxFault("SHELL requires the arguments to be in JSON form", written.rest.span);
  return { kind: "shell", ...placeOf(written), shell: words.map(({ text }) => text) };
}

function parseOnbuild(written: Written): OnbuildInstruction {
  readFlags(written.flags, {});
  if (written.rest.text === "") throw atLeastOne("ONBUILD", written);
  const apart = takeApart(written.rest);
  const name = apart.keyword.text.toUpperCase();
  if (name === "ONBUILD")
    throw new SyntaxFault("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", apart.keyword.span);
  if (name === "MAINTAINER" || name === "FROM")
    throw new SyntaxFault(`${name} isn't allowed as an ONBUILD trigger`, apart.keyword.span);
  parseInstruction({ ...written, ...apart });
  const documents = written.documents.length === 0 ? "" : `\n${written.documentsText}`;
  return { kind: "onbuild", ...placeOf(written), trigger: written.rest.text + documents };
}

function atLeastOne(name: string, { span }: Written): SyntaxFault {
  return new SyntaxFault(`${name} requires at least one argument`, span);
}
