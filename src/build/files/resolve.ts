import { Fault } from "#core/fault";
import type { FileFacts } from "./file-facts.ts";
import type { TreeProgram } from "./tree-program.ts";
import { joined } from "./tree-walk.ts";

/** Where a path led: no symlink is in it. */
export interface Resolved {
  /** As latin1, without a slash at its start; empty: the root. */
  readonly path: string;
  readonly facts: FileFacts;
}

const linksLimit = 255;

/**
 * Follows a path (latin1) part for part, symlinks too: the tree's root is their root, and `..` stops there. Undefined when it
 * leads to nothing, or a step is not allowed. Fault `invalid` beyond 255 symlinks.
 */
export async function resolve(
  program: TreeProgram,
  asked: string,
  isAllowed: (path: string, facts: FileFacts) => boolean,
): Promise<Resolved | undefined> {
  const root = await program.look("");
  if (root === undefined) return undefined;
  let stack: Resolved[] = [{ path: "", facts: root }];
  const rest = partsOf(asked);
  for (let links = 0; ;) {
    const part = rest.shift();
    const at = stack.at(-1);
    if (part === undefined) return at;
    if (part === "..") {
      if (stack.length > 1) stack.pop();
      continue;
    }
    if (at?.facts.type !== "directory" || part.includes("\0")) return undefined;
    const path = joined(at.path, part);
    const facts = await program.look(path);
    if (facts === undefined || !isAllowed(path, facts)) return undefined;
    if (facts.type !== "symlink") {
      stack.push({ path, facts });
      continue;
    }
    if (++links > linksLimit) throw new Fault("invalid", `too many links: /${Buffer.from(asked, "latin1").toString()}`);
    rest.unshift(...partsOf(facts.target));
    if (facts.target.startsWith("/")) stack = stack.slice(0, 1);
  }
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
