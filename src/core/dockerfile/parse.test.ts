import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Span } from "./dockerfile.ts";
import { mostDockerfileBytes, parseDockerfile, parseInstructions, parseTrigger } from "./parse.ts";
import { showError } from "./show-error.ts";
import { SyntaxFault } from "./syntax-fault.ts";

const corpus = join(import.meta.dirname, "corpus");
const golden = join(corpus, "golden");
const right = namesIn("right");
const wrong = namesIn("wrong");

for (const name of right) {
  test(`parseDockerfile: ${name} is as golden/${name}.json says`, () => {
    const { dockerfile, warnings } = parseDockerfile(textOf("right", name));
    assertGolden(`${name}.json`, shown({ ...dockerfile, text: undefined, warnings }));
  });
}

for (const name of wrong) {
  test(`parseDockerfile: ${name} is wrong as golden/${name}.txt says`, () => {
    const text = textOf("wrong", name);
    assertGolden(`${name}.txt`, wrongness(text));
  });
}

test("parseDockerfile: the golden folder holds these and nothing else", () => {
  const expected = [...right.map((name) => `${name}.json`), ...wrong.map((name) => `${name}.txt`)];
  assert.deepEqual(readdirSync(golden).toSorted(), expected.toSorted());
});

test("parseDockerfile: places are those of the file", () => {
  const text =
    "# escape=`\nFROM a AS b\nENV  one=two `\n# comment\n   three=four\nRUN --mount=type=cache,target=/x `\n  run it\n";
  const { dockerfile } = parseDockerfile(text);
  const [env, run] = dockerfile.stages[0]?.instructions ?? [];
  assert.ok(env?.kind === "env" && run?.kind === "run");
  assert.deepEqual(
    [dockerfile.stages[0]?.from.name, env.pairs[1]?.name, env.pairs[1]?.value, run.mounts[0]].map((raw) => [
      raw?.text,
      raw && sliceOf(text, raw.span),
    ]),
    ["b", "three", "four", "type=cache,target=/x"].map((word) => [word, word]),
  );
  assert.deepEqual(env.span, { start: { line: 3, column: 1 }, end: { line: 5, column: 14 } });
});

test("parseDockerfile: sizes are bounded", () => {
  const tooLong = { name: "Fault", kind: "invalid" };
  assert.throws(() => parseDockerfile(`FROM a\n#${"x".repeat(mostDockerfileBytes)}`), {
    ...tooLong,
    message: /max allowed size of 1048576 bytes/,
  });
  assert.throws(() => parseDockerfile(`FROM a\nRUN ${"x".repeat(70_000)}`), {
    ...tooLong,
    message: /line greater than max allowed size of 65535/,
  });
});

test("parseDockerfile: so many instructions are no Dockerfile", () => {
  const text = (count: number): string => `FROM a\n${"USER a\n".repeat(count - 1)}`;
  assert.equal(parseDockerfile(text(10_000)).dockerfile.stages[0]?.instructions.length, 9999);
  assert.throws(() => parseDockerfile(text(10_001)), { message: "dockerfile with more than 10000 instructions" });
});

/** Each is about as large as a file may be, and of a shape that is slow when something is read again and again. */
const shapes: Readonly<Record<string, (count: number) => string>> = {
  "blank lines": (count) => `FROM a\n${" \n".repeat(count / 2)}`,
  comments: (count) => `FROM a\n${"#\n".repeat(count / 2)}RUN x`,
  "carriage returns": (count) => `FROM a\n#${"\r".repeat(count)}x`,
  continuations: (count) => `FROM a\nRUN ${"\\\n".repeat(count / 2)}`,
  "empty continuations": (count) => `FROM a\nRUN a\\\n${"\n".repeat(count)}b`,
  instructions: (count) => `FROM a\n${"USER a\n".repeat(count / 7)}`,
  stages: (count) => "FROM a\n".repeat(count / 7),
  "words on many lines": (count) => `FROM a\nENV ${"a=b c=d \\\n".repeat(count / 10)}`,
  flags: (count) => `FROM a\nCOPY ${"--exclude=a \\\n".repeat(count / 14)} a b`,
  escapes: (count) =>
    `FROM a\nENV A=${"\\\\".repeat(30_000)}\\\n${"\\\\".repeat(30_000)}${"#".repeat(count - 150_000)}`.slice(
      0,
      130_000,
    ),
  quotes: (count) => `FROM a\nENV ${'"a" \\\n'.repeat(count / 6)}`,
  documents: (count) => `FROM a\n${"RUN <<A\nA\n".repeat(count / 10)}`,
  "documents of one line": (count) => `FROM a\nRUN ${"<<A \\\n".repeat(count / 12)} x\n${"A\n".repeat(count / 12)}`,
  "open substitutions": (count) => `FROM a\nRUN <<A ${"${a:- \\\n".repeat(count / 8)}`,
  blanks: (count) => `FROM a\n${`RUN x${" ".repeat(60_000)}\\\n`.repeat(count / 61_000)}`,
  JSON: (count) => `FROM a\nCMD [${'"a", \\\n'.repeat(count / 8)}"b"]`,
  "open arrays": (count) => `FROM a\nCMD ${"[\\\n".repeat(count / 3)}`,
};

for (const [name, make] of Object.entries(shapes)) {
  test(`parseDockerfile: a large file of ${name} is read in no time`, () => {
    const text = make(mostDockerfileBytes - 100);
    const start = performance.now();
    assert.equal(typeof wrongness(text), "string");
    assert.ok(performance.now() - start < 10_000, `${performance.now() - start} ms`);
  });
}

test("parseDockerfile: any text is read, or refused by a SyntaxFault whose place can be shown", () => {
  const word = fc.constantFrom(
    ...[
      "FROM",
      "RUN",
      "COPY",
      "ENV",
      "ARG",
      "ONBUILD",
      "HEALTHCHECK",
      "CMD",
      "SHELL",
      "VOLUME",
      "--mount=",
      "--from=x",
      "--",
    ],
    ...[
      "a",
      "b=c",
      "AS",
      "<<EOF",
      "<<-'E'",
      "EOF",
      "\nEOF\n",
      "E",
      "[",
      "]",
      '"x"',
      ",",
      '"',
      "'",
      "\\",
      "\\\n",
      "`",
      "$",
      "${",
      "}",
      "#",
    ],
    ...["\n", "\n", "\r\n", " ", "\t", "\uFEFF", "# escape=`\n", "# check=", "é", "\u0000"],
  );
  const text = fc.oneof(
    fc.array(word, { maxLength: 60 }).map((words) => `FROM a\n${words.join(" ")}`),
    fc.array(word, { maxLength: 40 }).map((words) => words.join("")),
    fc.string({ unit: "binary", maxLength: 200 }),
    fc
      .constantFrom(...right)
      .map((name) => textOf("right", name))
      .chain((whole) => fc.nat(whole.length).map((at) => whole.slice(0, at))),
  );
  fc.assert(
    fc.property(text, (written) => {
      assert.equal(typeof wrongness(written), "string");
    }),
    { numRuns: 4000 },
  );
});

test("parseInstructions, parseTrigger: read what stands outside of a file", () => {
  assert.deepEqual(
    parseInstructions("ENV A=b\n# comment\nUSER c \\\n d").map(({ kind }) => kind),
    ["env", "user"],
  );
  assert.equal(parseTrigger("RUN make").kind, "run");
  const { dockerfile } = parseDockerfile("FROM a\nONBUILD RUN <<E cat\nx\nE\n");
  const [onbuild] = dockerfile.stages[0]?.instructions ?? [];
  assert.ok(onbuild?.kind === "onbuild");
  const trigger = parseTrigger(onbuild.trigger);
  assert.ok(trigger.kind === "run");
  assert.deepEqual(trigger.command, { form: "shell", text: "<<E cat\nx\nE" });
  for (const text of ["", "RUN a\nRUN b", "FROM a", "ONBUILD RUN x"])
    assert.throws(() => parseTrigger(text), { message: "onbuild trigger should be a single expression" }, text);
});

/** What is wrong with the text, shown in its place; or nothing. */
function wrongness(text: string): string {
  try {
    parseDockerfile(text);
    return "";
  } catch (error) {
    assert.ok(error instanceof SyntaxFault, String(error));
    assert.equal(error.kind, "invalid");
    return `${showError(text, "Dockerfile", error.span, error.text)}\n`;
  }
}

function sliceOf(text: string, { start, end }: Span): string {
  return (text.split("\n")[start.line - 1] ?? "").slice(start.column - 1, end.column - 1);
}

/** As JSON, with places as `line:column-line:column` behind the text that they are of. */
function shown(value: unknown): string {
  const text = JSON.stringify(
    value,
    (_, each: unknown) => {
      if (typeof each !== "object" || each === null) return each;
      if ("start" in each && "end" in each) return placeText(each as Span);
      const isRaw = "text" in each && "span" in each && Object.keys(each).length === 2;
      return isRaw ? `${String(each.text)} @ ${placeText(each.span as Span)}` : each;
    },
    2,
  );
  return `${text}\n`;
}

function placeText({ start, end }: Span): string {
  return `${start.line}:${start.column}-${end.line}:${end.column}`;
}

/** `SLIPWAY_GOLDEN=write` writes the files anew. */
function assertGolden(name: string, text: string): void {
  const path = join(golden, name);
  if (process.env["SLIPWAY_GOLDEN"] === "write") writeFileSync(path, text);
  assert.equal(text, readFileSync(path, "utf8"));
}

function namesIn(folder: string): string[] {
  return readdirSync(join(corpus, folder)).map((file) => basename(file, ".Dockerfile"));
}

function textOf(folder: string, name: string): string {
  return readFileSync(join(corpus, folder, `${name}.Dockerfile`), "utf8");
}
