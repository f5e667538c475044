import type { JoinedLine } from "./joined-line.ts";
import type { Raw } from "./dockerfile.ts";
import { SyntaxFault } from "./syntax-fault.ts";

/** The strings of a JSON array; undefined when the text is no JSON array, which makes it words or a line for the shell. Fault: an array of something else. */
export function jsonWords(line: JoinedLine): Raw[] | undefined {
  if (!line.text.startsWith("[")) return undefined;
  const list = parsed(line.text);
  if (!Array.isArray(list)) return undefined;
  if (!list.every((item) => typeof item === "string")) {
    throw new SyntaxFault("when using JSON array syntax, arrays must be comprised of strings only", line.span);
  }
  // The array is right, so that each quoted text in it is one of its items, in this order.
  const places = Array.from(line.text.matchAll(/"[^"\\]*(?:\\[^][^"\\]*)*"/g), ({ index, 0: item }) =>
    line.slice(index, index + item.length),
  );
  return list.map((text, index) => ({ text, span: (places[index] ?? line).span }));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
