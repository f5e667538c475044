import { Fault } from "#core/fault";
import type { Shim } from "#host";
import { bytesOf } from "./byte-path.ts";
import type { FileDigests } from "./file-digests.ts";
import type { FileTree } from "./files.ts";
import { compileIgnore } from "#core/ignore/ignore";
import type { IgnoreFile } from "#core/ignore/ignore-file";
import { ContentReader } from "./read-contents.ts";
import { resolve } from "./resolve.ts";
import { select } from "./select.ts";
import { selectedOf } from "./selected.ts";
import { TreeProgram, type TreePlace } from "./tree-program.ts";

/** What trees of files are made with. */
export interface FilesWiring {
  readonly shim: Shim;
  readonly digests: FileDigests;
}

export interface TreeOptions {
  readonly name: string;
  readonly place: TreePlace;
  /** `root`: all is root's, whoever owns it in the tree. */
  readonly owners: "root" | "kept";
  /** Called before anything is believed: whether the program looks into the right tree. Throws when not. */
  readonly check?: (program: TreeProgram) => Promise<void>;
  /** Why a program could not be started there, if it is known better. */
  readonly explain?: (error: unknown) => Promise<unknown>;
  readonly dispose?: () => Promise<void>;
}

/** A tree that can be had without what an ignore file leaves out. */
export interface WholeTree extends FileTree {
  /** The same tree, and disposed of with it: what the file leaves out is not to be chosen. Fault `invalid` for malformed patterns. */
  ignoring(file: IgnoreFile): FileTree;
}

/** A tree of files: the root of a stage or image by its mounts, or a folder of this machine. Nothing is read before it is asked for. */
export function openTree(wiring: FilesWiring, options: TreeOptions): WholeTree {
  const whole = treeWithout(wiring, options, { path: "", rules: [] });
  return { ...whole, ignoring: (file) => treeWithout(wiring, options, file) };
}

function treeWithout(wiring: FilesWiring, options: TreeOptions, ignoreFile: IgnoreFile): FileTree {
  const { name, place, owners, check, explain, dispose } = options;
  const ignore = compileIgnore(ignoreFile.rules);
  // Files are known by device and inode, and mounts that are made for each look have another device each time.
  const digests = place.mounts === undefined ? wiring.digests : nothingKnown;
  const start = async (signal: AbortSignal): Promise<TreeProgram> => {
    await using undo = new AsyncDisposableStack();
    const program = undo.use(await startIn(place, signal));
    await check?.(program);
    undo.move();
    return program;
  };
  const startIn = async (tree: TreePlace, signal: AbortSignal): Promise<TreeProgram> => {
    try {
      return await TreeProgram.start(wiring.shim, tree, signal);
    } catch (error) {
      throw (await explain?.(error)) ?? error;
    }
  };
  const idle = new IdlePrograms();
  const looking = async <Result>(
    signal: AbortSignal,
    look: (program: TreeProgram) => Promise<Result>,
  ): Promise<Result> => {
    await using undo = new AsyncDisposableStack();
    const program = undo.use(idle.take() ?? (await start(signal)));
    const result = await look(program);
    undo.move();
    idle.leave(program);
    return result;
  };
  return {
    name,
    read: async (path, limitBytes, signal) =>
      await looking(signal, async (program) => await readSmall(program, path, limitBytes)),
    async select(selection, signal) {
      const items = await looking(
        signal,
        async (program) => await select({ name, program, ignore, ignoreFile: ignoreFile.path }, selection, signal),
      );
      return selectedOf({ start, digests, owners }, items);
    },
    async [Symbol.asyncDispose]() {
      await idle[Symbol.asyncDispose]();
      await dispose?.();
    },
  };
}

/** Many instructions take from one tree: who has looked leaves its program to the next, for a while. */
class IdlePrograms implements AsyncDisposable {
  readonly #programs: { readonly program: TreeProgram; readonly timer: NodeJS.Timeout }[] = [];

  take(): TreeProgram | undefined {
    const found = this.#programs.pop();
    clearTimeout(found?.timer);
    return found?.program;
  }

  leave(program: TreeProgram): void {
    const timer = setTimeout(() => {
      const at = this.#programs.findIndex((each) => each.program === program);
      if (at < 0) return;
      this.#programs.splice(at, 1);
      program[Symbol.asyncDispose]().catch(() => undefined); // it has ended by itself
    }, idleMs);
    this.#programs.push({ program, timer });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let program = this.take(); program !== undefined; program = this.take()) await program[Symbol.asyncDispose]();
  }
}

const idleMs = 500;

const nothingKnown: FileDigests = { recall: async () => {}, remember: async () => {} };

async function readSmall(program: TreeProgram, path: string, limitBytes: number): Promise<Buffer | undefined> {
  const found = await resolve(program, bytesOf(path), () => true);
  if (found?.facts.type !== "file") return undefined;
  if (found.facts.sizeBytes > limitBytes)
    throw new Fault("tooLarge", `${path} has ${found.facts.sizeBytes} bytes; at most ${limitBytes} are read`);
  const pieces: Uint8Array[] = [];
  for await (const piece of (await new ContentReader(program, [found]).next()) ?? []) pieces.push(piece);
  return Buffer.concat(pieces);
}
