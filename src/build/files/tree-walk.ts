import { Fault } from "#core/fault";
import { textOf } from "./byte-path.ts";
import type { FileFacts } from "./file-facts.ts";
import type { IgnoreMatcher, IgnoreState } from "#core/ignore/ignore";
import { type TreeProgram, unreadable } from "./tree-program.ts";

/** Something that was chosen, with what is below it. */
export interface WalkedFile {
  /** From where the walk began, as latin1; empty: where it began. */
  readonly path: string;
  readonly facts: FileFacts;
  /** SHA-256 of its bytes, once they are known. */
  content?: string;
}

/** Rules that leave things out; `below`: they are about paths from where the walk begins on, not from the tree's root. */
export interface WalkRules {
  readonly matcher: IgnoreMatcher;
  readonly state: IgnoreState;
  readonly below: boolean;
}

interface Folder {
  readonly file: WalkedFile;
  /** Text, from the tree's root on. */
  readonly path: string;
  /** Text, from where the walk began on. */
  readonly below: string;
  readonly states: readonly IgnoreState[];
  readonly above: Folder | undefined;
  readonly children: Folder[];
  /** Chosen itself, or for the sake of what is below. */
  chosen: boolean;
}

const filesLimit = 1_000_000;

/**
 * All that no rule leaves out at and below a path, parents first, names sorted. Folders that the rules leave out whole are not
 * looked into. A folder that is left out, but has something below that is not, is there. Sockets are passed over. Fault
 * `tooLarge` beyond a million files.
 */
export async function walk(
  program: TreeProgram,
  from: { readonly path: string; readonly facts: FileFacts },
  rules: readonly WalkRules[],
): Promise<WalkedFile[]> {
  const top: Folder = {
    file: { path: "", facts: from.facts },
    path: textOf(from.path),
    below: "",
    states: rules.map((rule) => rule.state),
    above: undefined,
    children: [],
    chosen: rules.every((rule) => !rule.state.excluded),
  };
  if (from.facts.type !== "directory") return top.chosen && from.facts.type !== "socket" ? [top.file] : [];
  const open = [top];
  let count = 1;
  program.ask("list", from.path);
  for (let asked = 0; asked < open.length;) {
    const folder = open[asked];
    const record = program.ready() ?? (await program.next());
    if (folder === undefined) break;
    if (record.kind === "facts") {
      if (++count > filesLimit) throw new Fault("tooLarge", `there are more than ${filesLimit} files to copy`);
      const entered = meet(folder, record.facts, rules);
      if (entered === undefined) continue;
      program.ask("list", joined(from.path, entered.file.path));
      open.push(entered);
    } else if (record.kind === "error") {
      throw unreadable(joined(from.path, folder.file.path), record.code);
    } else if (record.kind === "end") asked++;
  }
  return flatten(top);
}

/** The state of a path after all its folders', from the root's on. */
export function stateOf(matcher: IgnoreMatcher, path: string): IgnoreState {
  let state = matcher.root;
  if (path === "") return state;
  for (let end = path.indexOf("/"); ; end = path.indexOf("/", end + 1)) {
    state = matcher.state(end < 0 ? path : path.slice(0, end), state);
    if (end < 0) return state;
  }
}

/** A path of a folder and a name. */
export function joined(folder: string, name: string): string {
  return folder === "" || name === "" ? folder + name : `${folder}/${name}`;
}

/** Takes what was met, if no rule leaves it out. Answers the folder that is to be looked into. */
function meet(folder: Folder, facts: FileFacts, rules: readonly WalkRules[]): Folder | undefined {
  const name = textOf(facts.name);
  const path = joined(folder.path, name);
  const below = joined(folder.below, name);
  let [chosen, enters] = [facts.type !== "socket", facts.type === "directory"];
  const states: IgnoreState[] = [];
  for (const [index, rule] of rules.entries()) {
    const subject = rule.below ? below : path;
    const state = rule.matcher.state(subject, folder.states[index] ?? rule.matcher.root);
    states.push(state);
    if (!state.excluded) continue;
    chosen = false;
    enters &&= rule.matcher.mayTakeBack(subject, state);
  }
  if (!chosen && !enters) return undefined;
  const met: Folder = {
    file: { path: joined(folder.file.path, facts.name), facts },
    path,
    below,
    states,
    above: folder,
    children: [],
    chosen: false,
  };
  folder.children.push(met);
  for (let each: Folder | undefined = chosen ? met : undefined; each !== undefined && !each.chosen; each = each.above)
    each.chosen = true;
  return enters ? met : undefined;
}

function flatten(top: Folder): WalkedFile[] {
  const files: WalkedFile[] = [];
  const stack = [top];
  for (let folder = stack.pop(); folder !== undefined; folder = stack.pop()) {
    if (!folder.chosen) continue;
    files.push(folder.file);
    folder.children.sort((a, b) => (a.file.facts.name < b.file.facts.name ? 1 : -1));
    for (const child of folder.children) stack.push(child);
  }
  return files;
}
