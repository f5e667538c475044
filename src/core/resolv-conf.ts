/** What resolv.conf(5) says, word for word: whether an address is one is for its reader to judge. */
export interface ResolvConf {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/**
 * Reads a resolv.conf. A comment begins with `#` or `;` where a word could begin, so that `192.0.2.1#5353` is one word. The last of
 * `search` and `domain` counts, as in the C library; options add up.
 */
export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = [];
  const options: string[] = [];
  let search: readonly string[] = [];
  for (const line of text.split("\n")) {
    const words = line.split(/\s+/).filter((word) => word !== "");
    const comment = words.findIndex((word) => word.startsWith("#") || word.startsWith(";"));
    const [keyword, ...values] = comment < 0 ? words : words.slice(0, comment);
    if (keyword === "nameserver") servers.push(...values.slice(0, 1));
    if (keyword === "search") search = values;
    if (keyword === "domain") search = values.slice(0, 1);
    if (keyword === "options") options.push(...values);
  }
  return { servers, search, options };
}
