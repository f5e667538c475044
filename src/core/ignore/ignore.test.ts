import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { compileIgnore, explainIgnore, type IgnoreRule, type IgnoreState, parseIgnore } from "./ignore.ts";

const cases: readonly (readonly [patterns: string, path: string, excluded: boolean])[] = [
  ["*", "a", true],
  ["*", "a/b", true],
  ["*.go", "a.go", true],
  ["*.go", "sub/a.go", false],
  ["**/*.go", "a.go", true],
  ["**/*.go", "x/y/a.go", true],
  ["/a", "a", true],
  ["a/", "a/b", true],
  ["./a//b/", "a/b", true],
  ["a/../b", "b", true],
  ["../a", "a", false],
  ["/", "a", false],
  [".", "a", false],
  ["**", "a/b", true],
  ["a/**", "a", false],
  ["a/**", "a/b/c", true],
  ["a**", "ab/c", true],
  ["**log", "my.log", true],
  ["**log", "a/my.log", true],
  ["**/log", "my.log", false],
  ["**/log", "a/log", true],
  ["a/**/b", "a/b", true],
  ["a/**/b", "a/x/y/b", true],
  ["*x**b", "axxb", true],
  ["a?c", "abc", true],
  ["a?c", "a/c", false],
  ["[a-c]x", "bx", true],
  ["[^a-c]x", "bx", false],
  ["a\\*b", "a*b", true],
  ["a\\*b", "axb", false],
  ["*.md\n!README.md", "README.md", false],
  ["*.md\n!README.md", "OTHER.md", true],
  ["!README.md\n*.md", "README.md", true],
  ["docs\n!docs/keep", "docs/keep", false],
  ["docs\n!docs/keep", "docs/other", true],
  ["docs\n!docs/keep\ndocs/keep/not", "docs/keep/not", true],
  ["**\n!src/**", "src/a/b", false],
  ["*\n!src", "src/a/b", false],
  ["ünï?", "ünïx", true],
  ["?", "😀", true],
  ["??", "😀", false],
];

test("ignore: what Docker leaves out is left out, and nothing else", () => {
  for (const [patterns, path, excluded] of cases)
    assert.equal(
      explainIgnore(parseIgnore(patterns), path).excluded,
      excluded,
      `${JSON.stringify(patterns)} on ${path}`,
    );
});

test("parseIgnore: byte order mark, comments, blank lines, CRLF; lines keep their numbers", () => {
  const rules = parseIgnore("\uFEFF# comment\r\n\r\n  a/ \r\n! b\n #c\n");
  assert.deepEqual(
    rules.map(({ pattern, negated, line }) => [pattern, negated, line]),
    [
      ["a", false, 3],
      ["b", true, 4],
      ["#c", false, 5],
    ],
  );
});

test("ignore: a malformed pattern is refused with its line", () => {
  assert.throws(() => parseIgnore("a\n!"), { kind: "invalid", message: /illegal exclusion pattern: "!" \(line 2/ });
  for (const bad of ["[", "[]a]", "[a", "[-x]", "a\\", "[a-]"])
    assert.throws(
      () => compileIgnore(parseIgnore(`ok\n${bad}`)),
      { kind: "invalid", message: /syntax error in pattern \(line 2/ },
      bad,
    );
  assert.throws(() => parseIgnore("a\n".repeat(10_001)), { kind: "tooLarge" });
});

test("explainIgnore: names the last rule that decided", () => {
  const rules = parseIgnore("*.log\nlogs\n!logs/keep.log\n");
  assert.deepEqual(at("logs/a.txt"), [true, 2]);
  assert.deepEqual(at("logs/keep.log"), [false, 3]);
  assert.deepEqual(at("/a.log"), [true, 1]);
  assert.deepEqual(at("src"), [false, undefined]);
  function at(path: string): readonly [boolean, number | undefined] {
    const { excluded, rule } = explainIgnore(rules, path);
    return [excluded, rule?.line];
  }
});

test("ignore: any text is a file of patterns, or refused with a word", () => {
  const piece = fc.constantFrom(
    "*",
    "**",
    "!",
    "/",
    "\\",
    "[",
    "]",
    "^",
    "-",
    "a",
    ".",
    "..",
    " ",
    "\r",
    "\n",
    "#",
    "\0",
    "\uFEFF",
    "😀",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), fc.array(piece, { maxLength: 10 }), (text, path) => {
      try {
        assert.equal(typeof explainIgnore(parseIgnore(text.join("")), path.join("")).excluded, "boolean");
      } catch (error) {
        assert.equal((error as { kind?: string }).kind, "invalid");
      }
    }),
    { numRuns: 3000 },
  );
});

test("ignore: a pattern made to be slow is not", () => {
  const matcher = compileIgnore(parseIgnore(`**/${"*a".repeat(40)}b`));
  const path = `${"a".repeat(250)}/${"a".repeat(250)}`;
  const before = performance.now();
  assert.equal(matcher.state(path, matcher.root).excluded, false);
  assert.ok(performance.now() - before < 1000);
});

const part = fc.constantFrom("a", "b", "ab", "*", "?", "a*", "*b", "**", "a**", "**b", "[ab]", "[^a]", "a**b", "***");
const rule = fc
  .tuple(fc.boolean(), fc.array(part, { minLength: 1, maxLength: 4 }))
  .map(([negated, parts]) => `${negated ? "!" : ""}${parts.join("/")}`);
const name = fc.constantFrom("a", "b", "ab", "ba", "aab", "c");
const tree = fc.array(fc.array(name, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 10 });

test("ignore: the same answer as a slow reference that asks every rule of every path", () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 6 }), tree, (patterns, paths) => {
      const rules = parseIgnore(patterns.join("\n"));
      const matcher = compileIgnore(rules);
      for (const parts of paths) {
        let state = matcher.root;
        for (let count = 1; count <= parts.length; count++)
          state = matcher.state(parts.slice(0, count).join("/"), state);
        assert.equal(
          state.excluded,
          slowly(rules, parts).excluded,
          `${JSON.stringify(patterns)} on ${parts.join("/")}`,
        );
      }
    }),
    { numRuns: 3000 },
  );
});

test("mayTakeBack: nothing that is taken back lies below a folder that is not entered", () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 6 }), tree, (patterns, paths) => {
      const matcher = compileIgnore(parseIgnore(patterns.join("\n")));
      for (const parts of paths) {
        let state = matcher.root;
        let cut: string | undefined;
        for (let count = 1; count <= parts.length; count++) {
          const path = parts.slice(0, count).join("/");
          state = matcher.state(path, state);
          if (cut !== undefined) assert.ok(state.excluded, `${JSON.stringify(patterns)}: ${path} below ${cut}`);
          else if (state.excluded && !matcher.mayTakeBack(path, state)) cut = path;
        }
      }
    }),
    { numRuns: 3000 },
  );
});

/** The rules as Docker's walk has them: from the top down, a rule that matched a folder holds for all below it. */
function slowly(rules: readonly IgnoreRule[], parts: readonly string[]): Pick<IgnoreState, "excluded"> {
  let above = rules.map(() => false);
  let excluded = false;
  for (let count = 1; count <= parts.length; count++) {
    const path = parts.slice(0, count).join("/");
    excluded = false;
    above = rules.map((each, index) => {
      const matches = above[index] === true || (each.negated === excluded && expressionOf(each.pattern).test(path));
      if (matches) excluded = !each.negated;
      return matches;
    });
  }
  return { excluded };
}

/** The pattern as the regular expression that Docker makes of it. */
function expressionOf(pattern: string): RegExp {
  if (/^\*\*[^*?[]*$/.test(pattern)) return new RegExp(`${pattern.slice(2).replace(/^\//, "(^|/)")}$`);
  const source = pattern.replaceAll(/\*\*\/?$|\*\*\/?|[*?.]|\[\^/g, (found, offset: number) => {
    if (found.startsWith("**")) return offset + found.length === pattern.length ? ".*" : "(.*/)?";
    if (found === "[^") return "[^/";
    return found === "*" ? "[^/]*" : found === "?" ? "[^/]" : `\\${found}`;
  });
  return new RegExp(`^${source}$`);
}
