/** One demand of a WWW-Authenticate header (RFC 9110 §11.6.1). */
export interface Challenge {
  /** Lower-case: `bearer`, `basic`. */
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Reads all challenges of a WWW-Authenticate header; what cannot be read is left out. Never throws. */
export function parseChallenges(header: string | string[] | undefined): Challenge[] {
  const text = (Array.isArray(header) ? header.join(", ") : (header ?? "")).slice(0, 8192);
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const token = /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [, name = "", quoted, bare] = match;
    const value = quoted?.replaceAll(/\\(.)/g, "$1") ?? bare;
    if (value === undefined) challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
    else challenges.at(-1)?.parameters.set(name.toLowerCase(), value);
  }
  return challenges;
}
