/** The name that was most likely meant by one that is not there: other capitals, or at most two slips. */
export function likelyName(name: string, names: readonly string[]): string | undefined {
  const limit = name.length < 4 ? 1 : 2;
  let best: { readonly name: string; readonly slips: number } | undefined;
  for (const each of names) {
    if (Math.abs(each.length - name.length) > limit) continue;
    const slips = each.toLowerCase() === name.toLowerCase() ? 0.5 : distance(name, each);
    if (slips <= limit && slips < (best?.slips ?? limit + 1)) best = { name: each, slips };
  }
  return best?.name;
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
