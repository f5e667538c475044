import { posix } from "node:path";
import { Fault } from "#core/fault";
import { bytesOf, textOf } from "./byte-path.ts";
import type { FileFacts } from "./file-facts.ts";
import type { Selection } from "./files.ts";
import { compileGlob, type Glob, hasWildcards, unescapeGlob } from "#core/ignore/glob";
import { compileIgnore, type IgnoreMatcher, ignoreRules } from "#core/ignore/ignore";
import { type Resolved, resolve } from "./resolve.ts";
import type { ChosenItem } from "./selected.ts";
import { likelyName } from "./likely-name.ts";
import { type TreeProgram, unreadable } from "./tree-program.ts";
import { joined, stateOf, walk, type WalkedFile, type WalkRules } from "./tree-walk.ts";

/** The tree that is chosen from, as far as choosing needs it. */
export interface SelectFrom {
  readonly name: string;
  readonly program: TreeProgram;
  readonly ignore: IgnoreMatcher;
  /** The file that the ignore rules are of. */
  readonly ignoreFile: string;
}

/**
 * What the sources of an instruction choose, as BuildKit has it: a path is followed to what it leads to inside the tree, and must
 * be there; a pattern (Go's filepath.Match) may match nothing; what `parents` keeps are patterns of `**` too, and only one
 * without wildcards must match.
 */
export async function select(from: SelectFrom, selection: Selection, signal: AbortSignal): Promise<ChosenItem[]> {
  const excludes = compileIgnore(ignoreRules(selection.excludes));
  const chosen: ChosenItem[] = [];
  for (const pattern of selection.patterns) {
    signal.throwIfAborted();
    if (selection.parents) chosen.push(...(await withParents(from, pattern, excludes)));
    else if (hasWildcards(pattern)) chosen.push(...(await matching(from, pattern, excludes)));
    else chosen.push(await named(from, pattern, excludes));
  }
  return chosen;
}

/** A source without wildcards. */
async function named(from: SelectFrom, pattern: string, excludes: IgnoreMatcher): Promise<ChosenItem> {
  const path = cleaned(unescapeGlob(pattern));
  const found = await resolveAsked(from, path);
  const files = found === undefined ? [] : await walkFrom(from, found, excludes);
  if (found === undefined || files.length === 0) throw await notFound(from, path);
  return { path: found.path, name: posix.basename(path), found: false, files };
}

/** What a pattern finds: it goes into folders that it names, and not through symlinks. */
async function matching(from: SelectFrom, pattern: string, excludes: IgnoreMatcher): Promise<ChosenItem[]> {
  const parts = cleaned(pattern).split("/");
  const firstWild = parts.findIndex(hasWildcards);
  const base = await resolveAsked(from, unescapeGlob(parts.slice(0, firstWild).join("/")));
  if (base?.facts.type !== "directory") return [];
  const globs = parts.slice(firstWild).map((part) => compileGlob(part, "flat"));
  const chosen: ChosenItem[] = [];
  for (const match of await pathsMatching(from, base, globs)) {
    const path = textOf(match.path);
    const name = posix.basename(path);
    if (excludes.state(name, excludes.root).excluded) continue;
    const found = match.facts.type === "symlink" ? await resolveAsked(from, path) : match;
    if (found === undefined) throw await notFound(from, path);
    const files = await walkFrom(from, found, excludes);
    if (files.length > 0) chosen.push({ path: found.path, name, found: true, files });
  }
  return chosen;
}

/** One folder whose contents are what the pattern chose, with the folders above as far as `/./`. */
async function withParents(from: SelectFrom, source: string, excludes: IgnoreMatcher): Promise<ChosenItem[]> {
  const [folder, asked] = atPivot(source);
  const wild = hasWildcards(asked);
  if (hasWildcards(folder))
    throw new Fault("invalid", `${source}: a pattern is not possible before /./`, {
      remedy: "Name the folder before /./ without wildcards.",
    });
  const base = await resolveAsked(from, cleaned(unescapeGlob(folder)));
  if (base?.facts.type !== "directory") throw await notFound(from, cleaned(unescapeGlob(folder)));
  const pattern = cleaned(asked);
  const include = compileIgnore(ignoreRules(pattern === "" ? [] : ["**", `!${pattern}`]));
  const files = await walkFrom(from, base, excludes, include);
  const hasSome = pattern === "" || files.length > 1;
  if (!hasSome && !wild) throw await notFound(from, joined(cleaned(folder), unescapeGlob(pattern)));
  return hasSome ? [{ path: base.path, name: "", found: true, files }] : [];
}

function atPivot(source: string): readonly [folder: string, pattern: string] {
  const at = source.indexOf("/./");
  if (at >= 0) return [source.slice(0, at), source.slice(at + 3)];
  return source.startsWith("./") ? ["", source.slice(2)] : ["", source];
}

async function walkFrom(
  from: SelectFrom,
  found: Resolved,
  excludes: IgnoreMatcher,
  include?: IgnoreMatcher,
): Promise<WalkedFile[]> {
  const rules: WalkRules[] = [
    { matcher: from.ignore, state: stateOf(from.ignore, textOf(found.path)), below: false },
    { matcher: excludes, state: excludes.root, below: true },
  ];
  if (include !== undefined) rules.push({ matcher: include, state: include.root, below: true });
  return await walk(
    from.program,
    found,
    rules.filter(({ matcher }) => matcher.rules.length > 0),
  );
}

/** What lies below a folder, part for part as the globs say, sorted; what the ignore rules leave out whole is not looked at. */
async function pathsMatching(from: SelectFrom, base: Resolved, globs: readonly Glob[]): Promise<Resolved[]> {
  let found = [base];
  for (const [index, glob] of globs.entries()) {
    const isLast = index === globs.length - 1;
    const next: Resolved[] = [];
    for (const { path } of found) from.program.ask("list", path);
    for (const folder of found)
      for (const facts of await listed(from.program, folder.path)) {
        const path = joined(folder.path, facts.name);
        const isWanted = facts.type !== "socket" && (isLast || facts.type === "directory");
        if (isWanted && glob.matches(textOf(facts.name)) && !isIgnored(from, path, facts)) next.push({ path, facts });
      }
    found = next;
  }
  return found.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** The answer to a list that was asked for. */
async function listed(program: TreeProgram, folder: string): Promise<FileFacts[]> {
  const found: FileFacts[] = [];
  for (;;) {
    const record = program.ready() ?? (await program.next());
    if (record.kind === "facts") found.push(record.facts);
    else if (record.kind === "end") return found;
    else if (record.kind === "error") throw unreadable(folder, record.code);
  }
}

/** Where a path leads, unless the ignore rules leave out something on the way. */
async function resolveAsked(from: SelectFrom, path: string): Promise<Resolved | undefined> {
  return await resolve(from.program, bytesOf(path), (step, facts) => !isIgnored(from, step, facts));
}

function isIgnored(from: SelectFrom, path: string, facts: FileFacts): boolean {
  const text = textOf(path);
  const state = stateOf(from.ignore, text);
  return state.excluded && !(facts.type === "directory" && from.ignore.mayTakeBack(text, state));
}

/** As Go's filepath.Clean of a path below the root, without the slash at its start. */
function cleaned(path: string): string {
  const clean = posix.normalize(`/${path}`);
  return clean.slice(1).replace(/\/$/, "");
}

/** In BuildKit's words, with what was likely meant. */
async function notFound(from: SelectFrom, path: string): Promise<Fault> {
  const remedy = (await ignoredBy(from, path)) ?? (await likely(from, path));
  return new Fault(
    "notFound",
    `failed to compute cache key: failed to calculate checksum of ref ${from.name}: "/${path}": not found`,
    remedy === undefined ? {} : { remedy },
  );
}

async function ignoredBy(from: SelectFrom, path: string): Promise<string | undefined> {
  const there = await resolve(from.program, bytesOf(path), () => true);
  if (there === undefined) return undefined;
  const parts = path.split("/");
  for (let count = 1; count <= parts.length; count++) {
    const { excluded, decisive } = stateOf(from.ignore, parts.slice(0, count).join("/"));
    const rule = excluded && decisive !== undefined ? from.ignore.rules[decisive] : undefined;
    if (rule !== undefined)
      return `It is there, but ${from.ignoreFile} leaves it out by ${JSON.stringify(rule.text.trim())} in line ${rule.line}.`;
  }
  return undefined;
}

async function likely(from: SelectFrom, path: string): Promise<string | undefined> {
  const folder = path.includes("/") ? posix.dirname(path) : "";
  const above = await resolveAsked(from, folder);
  if (above?.facts.type !== "directory") return undefined;
  from.program.ask("list", above.path);
  const names = (await listed(from.program, above.path))
    .filter((facts) => !isIgnored(from, joined(above.path, facts.name), facts))
    .map((facts) => textOf(facts.name));
  const name = likelyName(posix.basename(path), names);
  return name === undefined ? undefined : `Did you mean "/${joined(folder, name)}"?`;
}
