import { Fault, isFault } from "#core/fault";
import type { Program, Shim } from "#host";

/** Where and how GNU tar is to run; `tree` is its whole world (see Program). */
export interface TarRun {
  readonly tree: string;
  readonly mounts?: Program["mounts"];
  readonly args: readonly string[];
  /** Told at its end what it has complained of, if anything. */
  readonly onWords?: (words: string) => void;
}

/** How layers are extracted: every owner, mode, attribute and time as the archive says; a file in the way is replaced. Never with `--recursive-unlink`: it empties directories that come twice. */
export const extractArgs: readonly string[] = [
  "--extract",
  "--file=-",
  "--absolute-names", // every name is checked before it comes here; symlinks are to be made at once
  "--same-permissions",
  "--same-owner",
  "--numeric-owner",
  "--xattrs",
  "--xattrs-include=*",
  "--delay-directory-restore",
  "--warning=no-timestamp",
];

/** How a writable layer is read: everything that it is, in stable order. Sockets live with their programs and are left out, with a word. */
export const upperArgs: readonly string[] = [
  "--create",
  "--file=-",
  "--format=pax",
  "--numeric-owner",
  "--sort=name",
  "--xattrs",
  "--xattrs-include=*",
  "--warning=no-file-changed",
  ".",
];

/** Feeds an archive to tar inside the tree and waits for its end. Faults: tar's complaint as `invalid`, a full disk as `exhausted`; the source's own. */
export async function feedTar(
  shim: Shim,
  run: TarRun,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  await using program = await shim.run(programOf(run), signal);
  let refused = false;
  for await (const piece of source) {
    try {
      await program.write(piece);
    } catch (error) {
      if (isFault(error, "cancelled")) throw error;
      refused = true; // tar has ended: its own words follow
      break;
    }
  }
  signal.throwIfAborted();
  if (!refused) await program.end().catch(() => undefined);
  await drain(program.stdout);
  const end = await program.ended;
  signal.throwIfAborted();
  if (end.code !== 0 || refused) throw complaint(program.stderr());
}

/** Runs tar inside the tree with some input and yields what it writes. */
export async function* readFromTar(
  shim: Shim,
  run: TarRun,
  input: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  await using program = await shim.run(programOf(run), signal);
  const fed = program.write(input).then(async () => await program.end());
  fed.catch(() => undefined);
  yield* program.stdout;
  const end = await program.ended;
  signal.throwIfAborted();
  if (end.code === null || end.code > 1) throw complaint(program.stderr());
  const words = program.stderr();
  if (words !== "") run.onWords?.(words);
}

function programOf({ tree, mounts, args }: TarRun): Program {
  return { argv: ["tar", ...args], tree, env: { LC_ALL: "C", TZ: "UTC" }, ...(mounts !== undefined && { mounts }) };
}

async function drain(stream: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of stream);
}

function complaint(stderr: string): Fault {
  const text = stderr.replaceAll(/[^\x20-\x7e\n]/g, "?").trim();
  if (/No space left on device|Disk quota exceeded/.test(text)) {
    return new Fault("exhausted", "no space left on device", { remedy: "Free disk space and try again." });
  }
  return new Fault(
    "invalid",
    `failed to extract layer: ${text.split("\n").slice(0, 3).join("; ").slice(0, 500) || "tar failed"}`,
  );
}
