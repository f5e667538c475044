import { Fault } from "#core/fault";

/** Whether a familiar name (`nginx:1.27`, `a/b@sha256:…`) matches a shell pattern, with its tag or without, as `images --filter reference=` does. A `*` does not cross a slash. */
export function matchesReference(pattern: string, name: string): boolean {
  const expression = expressionOf(pattern);
  const bare = name.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
  return expression.test(name) || expression.test(bare);
}

/** Go's path.Match as a regular expression; quantifiers never nest, so no pattern is slow. */
function expressionOf(pattern: string): RegExp {
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] ?? "";
    if (character === "*") {
      if (!source.endsWith("[^/]*")) source += "[^/]*";
    } else if (character === "?") source += "[^/]";
    else if (character === "[") {
      const end = pattern.indexOf("]", at + 2);
      const inner = end < 0 ? "" : pattern.slice(at + 1, end);
      if (inner === "" || inner === "^") throw badPattern();
      source += `[${inner.replaceAll(/[\\[\]]/g, String.raw`\$&`)}]`;
      at = end;
    } else {
      const literal = character === "\\" ? pattern[++at] : character;
      if (literal === undefined) throw badPattern();
      source += RegExp.escape(literal);
    }
  }
  try {
    return new RegExp(`^${source}$`);
  } catch (error) {
    throw new Fault("invalid", "syntax error in pattern", { cause: error });
  }
}

function badPattern(): Fault {
  return new Fault("invalid", "syntax error in pattern");
}
