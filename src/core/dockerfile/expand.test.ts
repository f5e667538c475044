import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Raw } from "./dockerfile.ts";
import { expandDocument, expandWord, expandWords, type ExpandOptions } from "./expand.ts";
import { SyntaxFault } from "./syntax-fault.ts";

const span = { start: { line: 1, column: 1 }, end: { line: 1, column: 2 } };
const variables: Readonly<Record<string, string>> = {
  X: "value",
  EMPTY: "",
  LIST: "a b  c",
  FILE: "dir/sub/name.tar.gz",
  foo_1: "under",
  "1": "digit",
};
const plain: ExpandOptions = { escape: "\\" };

function raw(text: string): Raw {
  return { text, span };
}

function lookup(name: string): string | undefined {
  return Object.hasOwn(variables, name) ? variables[name] : undefined;
}

function expanded(text: string, options = plain): string {
  return expandWord(raw(text), lookup, options).text;
}

test("expandWord: variables, defaults and alternatives", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["plain", "plain"],
    ["$X", "value"],
    ["${X}y", "valuey"],
    ["$Xy", ""],
    ["$foo_1-x", "under-x"],
    ["$1a", "digita"],
    ["a$", "a$"],
    ["a$ b", "a$ b"],
    ["$.", "$."],
    ["${UNSET:-d}", "d"],
    ["${EMPTY:-d}", "d"],
    ["${EMPTY-d}", ""],
    ["${UNSET-d}", "d"],
    ["${X:+alt}", "alt"],
    ["${EMPTY:+alt}", ""],
    ["${EMPTY+alt}", "alt"],
    ["${UNSET+alt}", ""],
    ["${X:?no}", "value"],
    ["${EMPTY?no}", ""],
    ["${UNSET:-${EMPTY:-${X}}}", "value"],
    ["${UNSET:-a b}", "a b"],
    ["${UNSET:-'}'}", "}"],
    ["${UNSET:-\\}}", "}"],
    ["é$X", "évalue"],
  ];
  for (const [text, result] of cases) assert.equal(expanded(text), result, text);
});

test("expandWord: parts of a value by pattern", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["${FILE#*/}", "sub/name.tar.gz"],
    ["${FILE##*/}", "name.tar.gz"],
    ["${FILE%.*}", "dir/sub/name.tar"],
    ["${FILE%%.*}", "dir/sub/name"],
    ["${FILE#???}", "/sub/name.tar.gz"],
    ["${FILE%nothing}", "dir/sub/name.tar.gz"],
    ["${FILE/sub/x}", "dir/x/name.tar.gz"],
    ["${FILE//\\//-}", "dir-sub-name.tar.gz"],
    ["${FILE/s*b/}", "dir//name.tar.gz"],
    ["${FILE//?r/<}", "d</sub/name.t<.gz"],
    ["${FILE/*/all}", "all"],
    ["${X/$X/${FILE#*/}}", "sub/name.tar.gz"],
    ["${UNSET#a}", ""],
    ["${UNSET/a/b}", ""],
    ["${X#\\*}", "value"],
  ];
  for (const [text, result] of cases) assert.equal(expanded(text), result, text);
});

test("expandWord: quotes and escapes come off, with either escape character", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["'$X'", "$X"],
    ['"$X"', "value"],
    ['"a b"c', "a bc"],
    ["\\$X", "$X"],
    ["\\a\\\\", "a\\"],
    ['"\\$X \\" \\\\ \\n"', '$X " \\ \\n'],
    ["'\\n'", "\\n"],
    ["a\\", "a"],
    ["C:\\\\dir", "C:\\dir"],
  ];
  for (const [text, result] of cases) assert.equal(expanded(text), result, text);
  assert.equal(expanded('`$X \\n "`$X"', { escape: "`" }), "$X \\n $X");
});

test("expandWord: options keep what is written", () => {
  assert.equal(expanded(`"a" 'b' $X`, { escape: "\\", keepQuotes: true }), `"a" 'b' value`);
  assert.equal(expanded("\\a\\$X", { escape: "\\", keepEscapes: true }), "\\a\\$X");
  assert.equal(
    expanded("$UNSET ${UNSET} ${UNSET:-x} ${UNSET#x} $X", { escape: "\\", keepUnset: true }),
    "$UNSET ${UNSET} ${UNSET:-x} ${UNSET#x} value",
  );
  assert.equal(expanded(`it's "$X"`, { escape: "\\", plainQuotes: true }), `it's "value"`);
});

test("expandDocument: its quotes are its own; a quoted name keeps all of it", () => {
  const document = { name: "EOF", text: `it's $X \\$X\n`, expand: true, span };
  assert.equal(expandDocument(document, lookup).text, "it's value $X\n");
  assert.equal(expandDocument({ ...document, expand: false }, lookup).text, document.text);
});

test("expandWords: splits at blanks, also at those of a variable outside of quotes", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["a  b", ["a", "b"]],
    ["$LIST", ["a", "b", "c"]],
    ['"$LIST"', ["a b  c"]],
    ["x$LIST-y", ["xa", "b", "c-y"]],
    ["'a b'c d", ["a bc", "d"]],
    ["a\\ b", ["a b"]],
    ["$UNSET ''", []],
    ["8000-${X:+9000}/tcp", ["8000-9000/tcp"]],
  ];
  for (const [text, words] of cases) assert.deepEqual(expandWords(raw(text), lookup, plain).words, words, text);
});

test("expandWord: tells which names it used and which are not defined", () => {
  const { used, undefined: missing } = expandWord(
    raw("$X $A ${B:-$C} ${D:+$E} ${X:-$F} ${EMPTY+$G} '$H'"),
    lookup,
    plain,
  );
  assert.deepEqual([...used].toSorted(), ["EMPTY", "X"]);
  assert.deepEqual([...missing].toSorted(), ["A", "C", "G"]);
});

test("expandWord: what cannot be expanded is a fault at the word", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["${", "syntax error: missing '}'"],
    ["${X", "syntax error: missing '}'"],
    ["${X:", "syntax error: missing '}'"],
    ["${X:-a", "syntax error: missing '}'"],
    ["${}", "syntax error: bad substitution"],
    ["${:x}", "syntax error: bad substitution"],
    ["${{X}}", "syntax error: bad substitution"],
    ["${X:=y}", "unsupported modifier (:=) in substitution"],
    ["${X^}", "unsupported modifier (^) in substitution"],
    ["${X/a}", "syntax error: missing '/' in ${}"],
    ["${X/a/b", "syntax error: missing '}'"],
    ["${X#\\a}", "invalid pattern (\\a) in substitution: invalid escape '\\a'"],
    ["${UNSET:?say so}", "UNSET: say so"],
    ["${UNSET?}", "UNSET: is not allowed to be unset"],
    ["${EMPTY:?}", "EMPTY: is not allowed to be empty"],
    ['"x', "unexpected end of statement while looking for matching double-quote"],
    ["'x", "unexpected end of statement while looking for matching single-quote"],
  ];
  for (const [text, message] of cases) {
    const expected = { message: `failed to process ${JSON.stringify(text)}: ${message}`, kind: "invalid", span };
    assert.throws(() => expanded(text), expected, text);
  }
});

test("expandWord: what grows or nests without bound is refused, and soon", () => {
  const long = "x".repeat(2 ** 19);
  assert.throws(() => expandWord(raw("$A$A$A"), () => long, plain), /longer than 1048576 characters/);
  assert.throws(() => expanded("${a:-".repeat(100_000)), /nested too deeply/);
  const start = performance.now();
  assert.throws(
    () => expandWord(raw(`\${A#${"*?a".repeat(20_000)}${"a".repeat(5000)}}`), () => long, plain),
    /too long/,
  );
  expandWord(raw(`\${A##${"*a".repeat(300)}b}`), () => "a".repeat(100_000), plain);
  assert.ok(performance.now() - start < 10_000);
});

/** Texts of what the shell and a Dockerfile read alike. */
const sharedText = fc
  .array(
    fc.oneof(
      fc.constantFrom("a", "b.c", "/", "x\\ y", "\\$", "\\\\", '\\"', "→"),
      fc.constantFrom("$X", "${X}", "${EMPTY}", "$UNSET", "${UNSET:-d}", "${EMPTY:-$X}", "${EMPTY-q}", "${X:+$FILE}"),
      fc.constantFrom("'$X'", "'a b'", '"$X b"', '"\\$X"', '"\\"$FILE\\""', '"${UNSET-z}"', "${UNSET:-${EMPTY:-${X}}}"),
      fc
        .tuple(
          fc.constantFrom("#", "##", "%", "%%"),
          fc.array(fc.constantFrom("*", "?", ".", "a", "/", "r", "t", "\\*"), { minLength: 1, maxLength: 4 }),
        )
        .map(([operator, pattern]) => `\${FILE${operator}${pattern.join("")}}`),
      fc
        .tuple(
          fc.constantFrom("/", "//"),
          fc.array(fc.constantFrom("*", "?", ".", "a", "r", "t", "e"), { minLength: 1, maxLength: 3 }),
          fc.constantFrom("", "Z", "$X"),
        )
        .map(([operator, pattern, other]) => `\${FILE${operator}${pattern.join("")}/${other}}`),
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(""));

test("expandWord: as bash expands, for what both know", () => {
  fc.assert(
    fc.property(fc.array(sharedText, { minLength: 40, maxLength: 40 }), (texts) => {
      // An assignment expands without splitting, as ENV does.
      const script = texts.map((text) => `v=${text}; printf '%s\\0' "$v"`).join("\n");
      const env = { X: "value", EMPTY: "", FILE: variables["FILE"] ?? "", LC_ALL: "C.UTF-8" };
      const answers = execFileSync("bash", ["--norc", "-c", script], { env, encoding: "utf8" }).split("\0");
      for (const [index, text] of texts.entries()) assert.equal(expanded(text), answers[index], text);
    }),
    { numRuns: 25 },
  );
});

test("expandWord: any text becomes a text or a SyntaxFault", () => {
  const piece = fc.constantFrom(
    "$",
    "{",
    "}",
    ":",
    "-",
    "+",
    "?",
    "#",
    "%",
    "/",
    "\\",
    "'",
    '"',
    "X",
    "*",
    " ",
    "`",
    "0",
  );
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(piece, { maxLength: 30 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, fc.constantFrom("\\", "`"), (written, escape) => {
      try {
        assert.equal(typeof expandWord(raw(written), lookup, { escape }).text, "string");
      } catch (error) {
        assert.ok(error instanceof SyntaxFault, String(error));
      }
    }),
    { numRuns: 1500 },
  );
});
