import { explainIgnore, type IgnoreAnswer, type IgnoreRule, parseIgnore } from "./ignore.ts";

/** The ignore file of a build's context. */
export interface IgnoreFile {
  /** Its path in the context. */
  readonly path: string;
  readonly rules: readonly IgnoreRule[];
}

/** Most bytes of an ignore file. */
export const ignoreFileLimitBytes: number = 1 << 20;

/**
 * Finds the ignore file of a context: `<path of the Dockerfile>.dockerignore`, else `.dockerignore`; without a Dockerfile of
 * its own the context has the second one alone. `read` answers undefined where there is none.
 */
export async function findIgnoreFile(
  read: (path: string) => Promise<Uint8Array | undefined>,
  dockerfile: string | undefined,
): Promise<IgnoreFile | undefined> {
  for (const path of dockerfile === undefined ? [".dockerignore"] : [`${dockerfile}.dockerignore`, ".dockerignore"]) {
    const bytes = await read(path);
    if (bytes !== undefined) return { path, rules: parseIgnore(new TextDecoder().decode(bytes)) };
  }
  return undefined;
}

/** Which line of which file decides about paths of a context; for `slipway build` to tell. */
export async function explainContext(
  read: (path: string) => Promise<Uint8Array | undefined>,
  dockerfile: string | undefined,
  paths: readonly string[],
): Promise<readonly (IgnoreAnswer & { readonly path: string; readonly file: string | undefined })[]> {
  const file = await findIgnoreFile(read, dockerfile);
  return paths.map((path) => ({ path, file: file?.path, ...explainIgnore(file?.rules ?? [], path) }));
}
