import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { findIgnoreFile, ignoreFileLimitBytes } from "#core/ignore/ignore-file";
import { compileIgnore, type IgnoreMatcher, type IgnoreState } from "#core/ignore/ignore";
import { pack } from "../files/pack.ts";

/** A folder as an archive, without what its ignore file leaves out; Dockerfile and ignore file themselves always come. */
export async function* contextTar(
  folder: string,
  dockerfile: string | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  const found = await findIgnoreFile(async (path) => await readContextFile(folder, path), dockerfile);
  if (found === undefined) {
    yield* pack(folder, ".");
    return;
  }
  const matcher = compileIgnore(found.rules);
  const always = new Set([".dockerignore", found.path, ...(dockerfile === undefined ? [] : [dockerfile])]);
  const states = new Map<string, IgnoreState>();
  yield* pack(folder, ".", (path, isFolder) => choose(matcher, states, always, path, isFolder));
}

/** A small file of a context; undefined when it is not there. */
export async function readContextFile(folder: string, path: string): Promise<Uint8Array | undefined> {
  try {
    await using file = await open(join(folder, path));
    const { size } = await file.stat();
    if (size > ignoreFileLimitBytes) throw new Error(`${path} is larger than ${ignoreFileLimitBytes} bytes`);
    return await readFile(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

/** Whether a path comes, and whether anything below it may. */
function choose(
  matcher: IgnoreMatcher,
  states: Map<string, IgnoreState>,
  always: ReadonlySet<string>,
  path: string,
  isFolder: boolean,
): { readonly isTaken: boolean; readonly isEntered: boolean } {
  const state = stateOf(matcher, states, path);
  const isTaken = !state.excluded || always.has(path) || [...always].some((one) => one.startsWith(`${path}/`));
  const isEntered = isTaken || matcher.mayTakeBack(path, state);
  if (isFolder && isEntered) states.set(path, state);
  return { isTaken, isEntered };
}

/** Parents come before what is in them. */
function stateOf(matcher: IgnoreMatcher, states: ReadonlyMap<string, IgnoreState>, path: string): IgnoreState {
  const slash = path.lastIndexOf("/");
  const parent = slash < 0 ? matcher.root : (states.get(path.slice(0, slash)) ?? matcher.root);
  return matcher.state(path, parent);
}
