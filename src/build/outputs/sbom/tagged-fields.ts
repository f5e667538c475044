/** Fields by name; the first of those of one name. */
export type TaggedFields = ReadonlyMap<string, string>;

/** Reads `Name: value` lines; those that begin with a blank go on with the value before, and are left out. */
export function tagged(text: string): TaggedFields {
  const fields = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^([^\s:]+):[ \t]*(.*?)\s*$/.exec(line);
    const name = match?.[1];
    if (name !== undefined && !fields.has(name)) fields.set(name, match?.[2] ?? "");
  }
  return fields;
}
