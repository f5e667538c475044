import { posix } from "node:path";
import { Fault } from "../fault.ts";
import { compileGlob, type Glob, hasWildcards } from "./glob.ts";

/** One line of an ignore file that says something. */
export interface IgnoreRule {
  /** Cleaned, without its `!`. */
  readonly pattern: string;
  /** `!`: takes back what rules before it left out. */
  readonly negated: boolean;
  /** As it is written. */
  readonly text: string;
  /** From 1; 0: not of a file. */
  readonly line: number;
}

/** What the rules say of a path, and of what lies below it. */
export interface IgnoreState {
  readonly excluded: boolean;
  /** Rules that matched the path or a folder above it, by index. */
  readonly matched: ReadonlySet<number>;
  /** The rule that decided; undefined: none matched. */
  readonly decisive: number | undefined;
}

/** Rules that are ready to be asked, from the top of a tree down. */
export interface IgnoreMatcher {
  readonly rules: readonly IgnoreRule[];
  /** Of the tree's root, which is never left out. */
  readonly root: IgnoreState;
  /** Of what lies directly in a folder whose state that is; the path is from the root on, without a slash at its start. */
  state(path: string, folder: IgnoreState): IgnoreState;
  /** Whether something below a folder that is left out itself may be taken back. */
  mayTakeBack(path: string, state: IgnoreState): boolean;
}

const patternLimit = 10_000;

/**
 * Reads an ignore file as Docker does: a byte order mark, comments, blank lines and CRLF are passed over; slashes at the
 * start and the end mean nothing; paths are cleaned. Fault `tooLarge` beyond 10,000 patterns.
 */
export function parseIgnore(text: string): IgnoreRule[] {
  const rules: IgnoreRule[] = [];
  for (const [index, raw] of text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .entries()) {
    const line = raw.replace(/\r$/, "");
    if (line.startsWith("#") || line.trim() === "") continue;
    rules.push(ruleOf(line, index + 1));
    if (rules.length > patternLimit)
      throw new Fault("tooLarge", `an ignore file can have at most ${patternLimit} patterns`);
  }
  return rules;
}

/** The same of patterns that come one by one: `--exclude`. */
export function ignoreRules(patterns: readonly string[]): IgnoreRule[] {
  return patterns.filter((pattern) => pattern.trim() !== "").map((pattern) => ruleOf(pattern, 0));
}

/** Compiles rules. Fault `invalid` in Docker's words for a malformed pattern, naming its line. */
export function compileIgnore(rules: readonly IgnoreRule[]): IgnoreMatcher {
  const compiled = rules.map((rule) => ({ ...rule, glob: compileRule(rule), reach: reachOf(rule) }));
  const hasNegated = compiled.some((rule) => rule.negated);
  const root: IgnoreState = { excluded: false, matched: new Set(), decisive: undefined };
  return {
    rules,
    root,
    state(path, folder) {
      let [excluded, decisive]: [boolean, number | undefined] = [false, undefined];
      let matched: Set<number> | undefined;
      for (const [index, rule] of compiled.entries()) {
        let isMatch = folder.matched.has(index);
        if (!isMatch) {
          // A rule that would change nothing is not asked, as Docker does: so it does not count for what lies below either.
          if (rule.negated !== excluded || !rule.glob.matches(path)) continue;
          isMatch = true;
          matched ??= new Set(folder.matched);
          matched.add(index);
        }
        excluded = !rule.negated;
        decisive = index;
      }
      return { excluded, matched: matched ?? folder.matched, decisive };
    },
    mayTakeBack(path, { decisive = -1 }) {
      if (!hasNegated) return false;
      return compiled.some((rule, index) => index > decisive && rule.negated && reaches(rule.reach, path));
    },
  };
}

/** Whether a path is left out, and the rule that decided. */
export interface IgnoreAnswer {
  readonly excluded: boolean;
  /** Undefined: no rule matched the path or a folder above it. */
  readonly rule: IgnoreRule | undefined;
}

/** Which rule decides about a path. */
export function explainIgnore(rules: readonly IgnoreRule[], path: string): IgnoreAnswer {
  const matcher = compileIgnore(rules);
  const parts = posix
    .join("/", path)
    .split("/")
    .filter((part) => part !== "");
  let state = matcher.root;
  for (let count = 1; count <= parts.length; count++) state = matcher.state(parts.slice(0, count).join("/"), state);
  return { excluded: state.excluded, rule: state.decisive === undefined ? undefined : rules[state.decisive] };
}

function ruleOf(text: string, line: number): IgnoreRule {
  const trimmed = text.trim();
  const negated = trimmed.startsWith("!");
  const pattern = negated ? trimmed.slice(1).trim() : trimmed;
  if (pattern === "") throw invalid('illegal exclusion pattern: "!"', line);
  const cleaned = cleanPath(pattern);
  return { pattern: cleaned.length > 1 && cleaned.startsWith("/") ? cleaned.slice(1) : cleaned, negated, text, line };
}

/** As Go's filepath.Clean. */
function cleanPath(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith("/") ? normal.slice(0, -1) : normal;
}

function compileRule(rule: IgnoreRule): Glob {
  try {
    // Two stars that begin a pattern and are followed by text alone stand for any beginning, in the middle of a name too.
    const ending = rule.pattern.startsWith("**") && !hasWildcards(rule.pattern.slice(2)) ? rule.pattern.slice(2) : "";
    if (ending !== "" && !ending.startsWith("/") && !ending.includes("\\"))
      return { matches: (path) => path.endsWith(ending) };
    return compileGlob(rule.pattern, "deep");
  } catch (error) {
    throw error instanceof Fault ? invalid(error.message, rule.line) : error;
  }
}

function invalid(message: string, line: number): Fault {
  return new Fault("invalid", line === 0 ? message : `${message} (line ${line} of the ignore file)`);
}

/** Part for part, what a rule can reach: a text, something that only a pattern knows (undefined), and from `**` on anything. */
interface Reach {
  readonly parts: readonly (Glob | undefined)[];
  readonly open: boolean;
}

function reachOf(rule: IgnoreRule): Reach {
  const parts = rule.pattern.split("/");
  const open = parts.findIndex((part) => part.includes("**"));
  const closed = open < 0 ? parts : parts.slice(0, open);
  return { parts: closed.map(partGlob), open: open >= 0 };
}

/** A part whose brackets hold a slash is no whole pattern: it may be anything. */
function partGlob(part: string): Glob | undefined {
  try {
    return compileGlob(part, "flat");
  } catch {
    return undefined;
  }
}

/** Whether something below that folder can match. */
function reaches(reach: Reach, folder: string): boolean {
  const parts = folder.split("/");
  if (!reach.open && parts.length >= reach.parts.length) return false;
  return reach.parts.every((glob, index) => {
    const part = parts[index];
    return part === undefined || glob === undefined || glob.matches(part);
  });
}
