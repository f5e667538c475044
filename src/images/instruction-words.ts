/** Splits an instruction's text at blanks; quotes and backslashes keep blanks in a word and are taken off. */
export function splitWords(text: string): string[] {
  return rawWords(text).map(unquoted);
}

/** `name=value` pairs, or the old form `name the whole rest`; undefined when it is neither. */
export function splitAssignments(text: string): (readonly [string, string])[] | undefined {
  const words = rawWords(text);
  const [first] = words;
  if (first === undefined) return undefined;
  if (!first.includes("=")) {
    const [, name, value] = /^(\S+)\s+([^]+)$/.exec(text) ?? [];
    return name === undefined || value === undefined ? undefined : [[name, unquoted(value)]];
  }
  const pairs: (readonly [string, string])[] = [];
  for (const word of words) {
    const equals = word.indexOf("=");
    if (equals < 0) return undefined;
    pairs.push([unquoted(word.slice(0, equals)), unquoted(word.slice(equals + 1))]);
  }
  return pairs;
}

function rawWords(text: string): string[] {
  return text.match(/(?:[^\s"'\\]|\\[^]|"(?:[^"\\]|\\[^])*"|'[^']*'|["'\\])+/g) ?? [];
}

function unquoted(word: string): string {
  return word.replaceAll(
    /\\([^])|"((?:[^"\\]|\\[^])*)"|'([^']*)'/g,
    (whole: string, escaped?: string, double?: string, single?: string) => {
      if (escaped !== undefined) return escaped;
      if (double !== undefined) return double.replaceAll(/\\(["\\$])/g, "$1");
      return single ?? whole;
    },
  );
}
