import type { SourceFile } from "./findings.ts";

const fileLines = 400;
const functionLines = 60;

/** Long files and functions, as sentences: information to look at, never a failure. */
export function longOnes(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.split("\n");
    const long = lines.length > fileLines ? [`${path}: ${lines.length} lines; is there a second idea in it?`] : [];
    return [...long, ...longFunctions(path, lines)];
  });
}

/** Functions and methods that start and end at the same indent, as the formatter lays them out. */
function longFunctions(path: string, lines: readonly string[]): string[] {
  const start = /^( {0,2})(?:export )?(?:async )?(?:function\*? |static |#?\w+\()[^;]*\{$/;
  const found: string[] = [];
  for (const [index, line] of lines.entries()) {
    const match = start.exec(line);
    if (match === null || /^\s*(if|for|while|switch|return)\b/.test(line)) continue;
    const end = lines.indexOf(`${match[1] ?? ""}}`, index);
    if (end - index > functionLines) found.push(`${path}:${index + 1}: a function of ${end - index} lines`);
  }
  return found;
}
