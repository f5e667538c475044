import { readFileSync } from "node:fs";

/** Checks one `-e`: `NAME=value` stands, a bare NAME takes our own value if there is one. Throws an Error in Docker's words. */
export function checkEnv(item: string): string {
  const name = item.split("=")[0];
  if (name === "") throw new Error(`invalid environment variable: ${item}`);
  if (item.includes("=")) return item;
  const own = process.env[item];
  return own === undefined ? item : `${item}=${own}`;
}

/** Variables of `--env-file`s, in order, then those of `-e`. Bare names in files take our own value and are dropped when there is none. */
export function readEnv(files: readonly string[], items: readonly string[]): string[] {
  return [...files.flatMap((path) => readPairs(path, (name) => process.env[name])), ...items];
}

/** Labels of `--label-file`s and `-l`: a bare name is an empty label. */
export function readLabels(files: readonly string[], items: readonly string[]): Record<string, string> {
  return pairsOf([...files.flatMap((path) => readPairs(path, () => "")), ...items]);
}

/** `name=value` items as a map; a bare name has an empty value. */
export function pairsOf(items: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    items.map((item) => {
      const equals = item.indexOf("=");
      return equals < 0 ? [item, ""] : [item.slice(0, equals), item.slice(equals + 1)];
    }),
  );
}

/** Lines `NAME=value`; `#` begins a comment line, no quotes are read, spaces before a name are dropped. */
function readPairs(path: string, lookUp: (name: string) => string | undefined): string[] {
  const out: string[] = [];
  for (const [index, line] of readText(path)
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const text = line.trimStart();
    if (text === "" || text.startsWith("#")) continue;
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    if (equals === 0) throw new Error(`invalid env file (${path}): no variable name on line '${text}'`);
    if (/\s/.test(name.trimEnd()) || /\s$/.test(name)) {
      throw new Error(`invalid env file (${path}): variable '${name}' contains whitespaces`);
    }
    if (text.includes("\u0000")) throw new Error(`invalid env file (${path}): line ${index + 1} holds a null byte`);
    const value = equals < 0 ? lookUp(name) : text.slice(equals + 1);
    if (value !== undefined) out.push(`${name}=${value}`);
  }
  return out;
}

function readText(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const { code } = error as { code?: string };
    throw new Error(`open ${path}: ${code === "ENOENT" ? "no such file or directory" : String(code)}`, {
      cause: error,
    });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new Error(`invalid env file (${path}): invalid utf8 bytes`, { cause: error });
  }
}
