import { Fault } from "#core/fault";
import type { MountOp, Shim } from "#host";

/** A folder that a program is to see as its whole world; `start` is where in it. */
export interface TarPlace {
  readonly tree: string;
  readonly mounts?: readonly MountOp[];
  readonly start?: string;
  /** The folder's `DEV:INO`: when another one is there by then, nothing is done. Fault `invalid`. */
  readonly id?: string;
}

/** All of a folder as a tar, with owners, modes and attributes. Fault `notFound` when its start is not there. */
export async function* tarOf(shim: Shim, place: TarPlace, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
  await using program = await shim.run(
    { argv: ["tar", "--create", "--file=-", ...asItIs, "--sort=name", "."], ...worldOf(place) },
    signal,
  );
  await program.end();
  yield* program.stdout;
  check((await program.ended).code, program.stderr(), signal);
}

/** Unpacks a tar into a folder; no name and no symlink in it leads out. */
export async function unpackInto(
  shim: Shim,
  place: TarPlace,
  tar: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const argv = ["tar", "--extract", "--file=-", "--same-permissions", "--same-owner", ...asItIs];
  const { id } = place;
  await using program = await shim.run({ argv: id === undefined ? argv : onlyIn(id, argv), ...worldOf(place) }, signal);
  const drained = drain(program.stdout);
  for await (const piece of tar) {
    // It has ended when it takes no more: its own words follow.
    if (!(await program.write(piece).then(yes, no))) break;
  }
  await program.end().catch(() => undefined);
  await drained;
  check((await program.ended).code, program.stderr(), signal);
}

const asItIs = ["--numeric-owner", "--xattrs", "--xattrs-include=*"];

/** The tree is the working folder by then, and is not exchanged any more. */
function onlyIn(id: string, argv: readonly string[]): string[] {
  const script =
    'test "$(stat -c %d:%i .)" = "$1" || { echo "another folder is there than before" >&2; exit 9; }; shift; exec "$@"';
  return ["sh", "-c", script, "sh", id, ...argv];
}

function worldOf({ tree, mounts, start }: TarPlace) {
  return {
    tree,
    env: { LC_ALL: "C", TZ: "UTC" },
    ...(mounts !== undefined && { mounts }),
    ...(start !== undefined && { treeFolder: start }),
  };
}

function check(code: number | null, stderr: string, signal: AbortSignal): void {
  signal.throwIfAborted();
  if (code === 0) return;
  const text = stderr.replaceAll(/[^\x20-\x7e\n]/g, "?").trim();
  if (/No space left on device|Disk quota exceeded/.test(text))
    throw new Fault("exhausted", "no space left on device", { remedy: "Free disk space and try again." });
  throw new Fault("invalid", `tar: ${text.split("\n").slice(0, 3).join("; ").slice(0, 500) || "failed"}`);
}

async function drain(stream: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of stream);
}

const yes = (): boolean => true;
const no = (): boolean => false;
