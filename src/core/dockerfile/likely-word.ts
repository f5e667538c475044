/** The word that was probably meant: the nearest of the known ones, at most two changed characters away; in the case of what was written. */
export function likelyWord(written: string, known: Iterable<string>): string | undefined {
  const word = written.toLowerCase();
  if (word.length > longestWord) return undefined;
  let compared = 0;
  let [nearest, least] = ["", mostChanges + 1];
  for (const each of known) {
    if (++compared > mostCompared) break;
    const distance = editDistance(word, each.toLowerCase());
    if (distance > 0 && distance < least) [nearest, least] = [each, distance];
  }
  return nearest === "" ? undefined : inCaseOf(written, nearest);
}

/** ` (did you mean RUN?)`, or nothing. */
export function suggestion(written: string, known: Iterable<string>): string {
  const word = likelyWord(written, known);
  return word === undefined ? "" : ` (did you mean ${word}?)`;
}

const mostChanges = 2;

/** Names of variables are anybody's. */
const longestWord = 64;
const mostCompared = 1000;

/** Levenshtein's distance; anything above `mostChanges` when the lengths alone say so. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > mostChanges) return mostChanges + 1;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    if (Math.min(...next) > mostChanges) return mostChanges + 1;
    row = next;
  }
  return row[b.length] ?? 0;
}

function inCaseOf(written: string, word: string): string {
  if (written === written.toLowerCase()) return word.toLowerCase();
  return written === written.toUpperCase() ? word.toUpperCase() : word;
}
