/** A wildcard pattern of the shell, `*` and `?`: literal runs between the stars; in a run, undefined stands for `?`. */
type Run = readonly (string | undefined)[];

/** Why a pattern cannot be used; its message is in BuildKit's words. */
export class PatternError extends Error {}

/** `${X#p}` and its three sisters: the value without what the pattern matches at that end, the shortest or the longest such part. */
export function trimMatch(
  value: string,
  pattern: { readonly text: string; readonly escape: string },
  end: "start" | "end",
  longest: boolean,
): string {
  const runs = runsOf(pattern.text, pattern.escape);
  const characters = Array.from(value);
  refuseCostly(runs, characters.length);
  if (end === "start") return characters.slice(Math.max(0, matchEnd(characters, 0, runs, longest))).join("");
  const backwards = runs.toReversed().map((run) => run.toReversed());
  const cut = Math.max(0, matchEnd(characters.toReversed(), 0, backwards, longest));
  return characters.slice(0, characters.length - cut).join("");
}

/** `${X/p/r}` and `${X//p/r}`: the longest match from the left is replaced, or each such. An empty pattern matches nothing. */
export function replaceMatches(
  value: string,
  pattern: { readonly text: string; readonly escape: string },
  replacement: string,
  all: boolean,
): string {
  if (pattern.text === "") return value;
  const runs = runsOf(pattern.text, pattern.escape);
  const characters = Array.from(value);
  refuseCostly(runs, characters.length);
  const parts: string[] = [];
  let from = 0;
  for (;;) {
    const start = matchStart(characters, from, runs);
    const end = start < 0 ? -1 : matchEnd(characters, start, runs, true);
    if (end < 0) break;
    parts.push(characters.slice(from, start).join(""), replacement);
    const isEmpty = end === from;
    from = end;
    if (!all || isEmpty || from === characters.length) break;
  }
  return parts.join("") + characters.slice(from).join("");
}

function runsOf(pattern: string, escape: string): Run[] {
  const runs: (string | undefined)[][] = [[]];
  const characters = Array.from(pattern);
  for (let at = 0; at < characters.length; at++) {
    let character = characters[at];
    if (character === "*") {
      runs.push([]);
      continue;
    }
    if (character === escape) {
      character = characters[++at] ?? "";
      if (!escapable.has(character) && character !== escape)
        throw new PatternError(`invalid escape '${escape}${character}'`);
    } else if (character === "?") {
      character = undefined;
    }
    runs.at(-1)?.push(character);
  }
  return runs;
}

const escapable = new Set(["*", "?", "}", "/"]);

/** Steps of comparing, at the worst: some tenths of a second. */
const mostSteps = 2 ** 27;

function refuseCostly(runs: readonly Run[], length: number): void {
  const longest = runs.reduce((most, run) => Math.max(most, run.length), 0);
  if (longest * length > mostSteps) throw new PatternError("pattern and value are too long");
}

/** Where the match that begins at `start` ends; -1: there is none. */
function matchEnd(text: readonly string[], start: number, runs: readonly Run[], longest: boolean): number {
  const [first = [], ...others] = runs;
  const last = others.pop();
  if (!matchesAt(text, start, first)) return -1;
  let at = start + first.length;
  if (last === undefined) return at;
  for (const run of others) {
    const found = indexOf(text, at, run);
    if (found < 0) return -1;
    at = found + run.length;
  }
  const found = longest ? lastIndexOf(text, at, last) : indexOf(text, at, last);
  return found < 0 ? -1 : found + last.length;
}

/** Where the leftmost match can begin: what does not match from there does not match from further right. */
function matchStart(text: readonly string[], from: number, runs: readonly Run[]): number {
  return indexOf(text, from, runs[0] ?? []);
}

function indexOf(text: readonly string[], from: number, run: Run): number {
  for (let at = from; at + run.length <= text.length; at++) if (matchesAt(text, at, run)) return at;
  return -1;
}

function lastIndexOf(text: readonly string[], from: number, run: Run): number {
  for (let at = text.length - run.length; at >= from; at--) if (matchesAt(text, at, run)) return at;
  return -1;
}

function matchesAt(text: readonly string[], start: number, run: Run): boolean {
  if (start + run.length > text.length) return false;
  for (let at = 0; at < run.length; at++) if (run[at] !== undefined && run[at] !== text[start + at]) return false;
  return true;
}
