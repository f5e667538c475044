import { Fault } from "#core/fault";
import type { RunningProgram } from "#host";
import { announce } from "../announce.ts";
import type { PathFacts } from "../containers.ts";
import type { Room } from "../room.ts";
import { look } from "./look.ts";
import { baseOf, cleanPath, folderOf } from "./paths.ts";
import { openView } from "./view.ts";

/** What is at a path of a container. */
export async function statPath(room: Room, nameOrId: string, path: string): Promise<PathFacts> {
  await using view = await openView(room, room.store.find(nameOrId).id, "read");
  return (await look(view, cleanPath(path), nameOrId, new AbortController().signal)).facts;
}

/** A tar of what is at a path, named by its last part. */
export async function readArchive(
  room: Room,
  nameOrId: string,
  asked: string,
  signal: AbortSignal,
): Promise<{ readonly facts: PathFacts; readonly archive: AsyncIterable<Uint8Array> }> {
  await using undo = new AsyncDisposableStack();
  const view = undo.use(await openView(room, room.store.find(nameOrId).id, "read"));
  const path = cleanPath(asked);
  const { facts, isFolder } = await look(view, path, nameOrId, signal);
  const base = baseOf(path);
  const place = isFolder ? { folder: path, member: "." } : { folder: folderOf(path), member: `./${base}` };
  const program = undo.use(
    await view.run({ argv: archiveCommand(place.member, base), treeFolder: place.folder, env: tarEnv }, signal),
  );
  await program.end();
  announce(room, view.record, "archive-path");
  const held = undo.move();
  return { facts, archive: archiveOf(program, held, signal) };
}

/** A tar of the whole root filesystem, without what is mounted on it; also while it runs, and without hindering it. */
export async function exportRoot(
  room: Room,
  nameOrId: string,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  await using undo = new AsyncDisposableStack();
  const view = undo.use(await openView(room, room.store.find(nameOrId).id, "root"));
  const argv = ["tar", "--create", "--file=-", ...archiveFormat, ...cpAttributes, "--transform=s,^\\./,,S", "."];
  const program = undo.use(await view.run({ argv, env: tarEnv }, signal));
  await program.end();
  announce(room, view.record, "export");
  const held = undo.move();
  return archiveOf(program, held, signal);
}

/** tar that writes one member and all below it to its output, in stable order. */
function archiveCommand(member: string, base: string): string[] {
  const args = ["tar", "--create", "--file=-", ...archiveFormat, ...cpAttributes, "--absolute-names"];
  // The root's own name is empty: its entries are `/`, `/etc` …
  if (member === "." && base !== ".") args.push(`--transform=s,^\\.,${replacement(base === "/" ? "" : base)},S`);
  if (member !== ".") args.push("--transform=s,^\\./,,S");
  return [...args, "--", member];
}

/** The name as sed's replacement text. */
function replacement(name: string): string {
  return name.replaceAll(/[\\&,\n]/g, (character) => `\\${character}`);
}

/** PAX with exact times; sorted, so that equal trees are equal archives. */
const archiveFormat: readonly string[] = [
  "--format=pax",
  "--pax-option=delete=atime,delete=ctime",
  "--numeric-owner",
  "--sort=name",
  "--warning=no-file-changed",
];
/** What is a file's own and means something elsewhere; a label or an overlay's mark does not. */
const cpAttributes: readonly string[] = ["--xattrs", "--xattrs-include=user.*", "--xattrs-include=security.capability"];
const tarEnv: Readonly<Record<string, string>> = { LC_ALL: "C", TZ: "UTC" };

/** The program's output; what is held for it is let go at its end, when the reader goes away, and when it never came. */
function archiveOf(program: RunningProgram, held: AsyncDisposable, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const pieces = wholeOutput(program, signal);
  const release = async (): Promise<void> => await held[Symbol.asyncDispose]();
  const onAbort = (): void => void release();
  signal.addEventListener("abort", onAbort, { once: true });
  const end = async (): Promise<void> => {
    signal.removeEventListener("abort", onAbort);
    await release();
  };
  const iterator: AsyncIterator<Uint8Array, void> = {
    async next() {
      try {
        const piece = await pieces.next();
        if (piece.done === true) await end();
        return piece;
      } catch (error) {
        await end();
        throw error;
      }
    },
    async return() {
      await end();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

async function* wholeOutput(program: RunningProgram, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
  yield* program.stdout;
  await endOfTar(program, signal);
}

/** Waits for the end of a tar that wrote an archive. Files that changed or went while it read are no failure. */
async function endOfTar(program: RunningProgram, signal: AbortSignal): Promise<void> {
  const { code } = await program.ended;
  signal.throwIfAborted();
  if (code !== null && code <= 1) return;
  const words = program
    .stderr()
    .replaceAll(/[^\x20-\x7e\n]/g, "?")
    .trim()
    .split("\n")
    .slice(0, 3)
    .join("; ");
  throw new Fault("internal", `cannot read the container's files: ${words || "tar was ended"}`);
}
