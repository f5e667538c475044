import { readFile } from "node:fs/promises";
import { csvPairs } from "./csv-pairs.ts";

const mostBytes = 500 * 1024;

/** Reads `--secret id=name[,src=file|env=NAME]`: base64 by id. Without a source the variable of that name counts, else the file. Throws an Error in Docker's words. */
export async function readSecrets(
  items: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Record<string, string>> {
  const secrets: Record<string, string> = {};
  for (const item of items) {
    const { id, bytes } = await readSecret(item, env);
    if (bytes.length > mostBytes) throw new Error(`secret ${id} is larger than ${mostBytes / 1024} KiB`);
    secrets[id] = bytes.toString("base64");
  }
  return secrets;
}

async function readSecret(
  item: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly id: string; readonly bytes: Buffer }> {
  const { id, env: variable, source, src, type, ...unknown } = csvPairs(item);
  const [odd] = Object.keys(unknown);
  if (odd !== undefined) throw new Error(`unexpected key '${odd}' in '${item}'`);
  if (type !== undefined && type !== "file" && type !== "env")
    throw new Error(`unsupported secret type ${JSON.stringify(type)}`);
  if (id === undefined || id === "") throw new Error(`invalid secret ${item}: it needs an id`);
  const place = src ?? source;
  const name =
    variable ??
    (type === "env" ? (place ?? id) : place === undefined && env[id] !== undefined && type !== "file" ? id : undefined);
  if (name !== undefined) return { id, bytes: Buffer.from(env[name] ?? "") };
  try {
    return { id, bytes: await readFile(place ?? id) };
  } catch (error) {
    throw new Error(`failed to read secret ${id}: ${(error as Error).message}`, { cause: error });
  }
}
