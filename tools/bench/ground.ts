import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDaemon, type TestDaemon } from "../../test/fixtures/daemon.ts";
import { fillBusybox } from "../../test/fixtures/images.ts";
import { mustRun } from "../../test/fixtures/program.ts";
import { Api } from "./api.ts";
import { Stopwatch } from "./stopwatch.ts";

/** Sparse: holds the output bench's logs too. */
const diskBytes = 16 * 2 ** 30;

/** What every measurement stands on: a private daemon with busybox loaded, and the same root file system for a bare crun. */
export interface Ground extends AsyncDisposable {
  readonly daemon: TestDaemon;
  readonly api: Api;
  readonly stopwatch: Stopwatch;
  /** A bundle that runs `true` on the same busybox. */
  readonly bundle: string;
  /** A root folder for bare crun calls. */
  readonly crunRoot: string;
  /** A bundle with another command. */
  makeBundle(name: string, command: readonly string[]): Promise<string>;
}

export async function prepareGround(): Promise<Ground> {
  await using undo = new AsyncDisposableStack();
  const parent = await mkdtemp(join(tmpdir(), "slipway-bench-"));
  undo.defer(async () => await rm(parent, { recursive: true, force: true }));
  const folder = await journaledFolder(parent, undo);
  const rootfs = join(folder, "rootfs");
  await fillBusybox(rootfs);
  const makeBundle = async (name: string, command: readonly string[]): Promise<string> =>
    await writeBundle(join(folder, name), rootfs, command);
  const bundle = await makeBundle("true", ["/bin/true"]);
  const execRoot = await memoryFolder(folder, undo);
  const roots = {
    dataRoot: join(folder, "data"),
    execRoot: join(execRoot, "exec"),
    socket: join(execRoot, "api.sock"),
  };
  const daemon = undo.use(await startDaemon({ busybox: true, args: ["--log-level", "error"], roots }));
  const stopwatch = undo.use(new Stopwatch());
  const api = new Api(daemon.socket);
  undo.defer(() => api.close());
  const held = undo.move();
  const crunRoot = join(execRoot, "crun");
  return {
    daemon,
    api,
    stopwatch,
    bundle,
    crunRoot,
    makeBundle,
    [Symbol.asyncDispose]: async () => await held.disposeAsync(),
  };
}

/**
 * ext4 with a journal, as users' machines have it. Machines that build Slipway may have ext4 without one, which looks for a free
 * inode ever longer while files come and go (the kernel's `recently_deleted`): that would be measured instead, on our side only.
 */
async function journaledFolder(parent: string, undo: AsyncDisposableStack): Promise<string> {
  const image = join(parent, "disk.img");
  const folder = join(parent, "disk");
  await mkdir(folder);
  await writeFile(image, "");
  await truncate(image, diskBytes);
  await mustRun("mkfs.ext4", ["-q", "-E", "lazy_itable_init=1", image]);
  await mustRun("mount", ["-o", "loop", image, folder]);
  undo.defer(async () => void (await mustRun("umount", [folder])));
  return folder;
}

/** /run is memory on users' machines, and not on every machine that builds Slipway: both sides keep their running state in memory here. */
async function memoryFolder(parent: string, undo: AsyncDisposableStack): Promise<string> {
  const folder = join(parent, "run");
  await mkdir(folder, { mode: 0o711 });
  await mustRun("mount", ["-t", "tmpfs", "-o", "mode=711", "slipway-bench", folder]);
  undo.defer(async () => void (await mustRun("umount", [folder])));
  return folder;
}

/** crun's own default spec, but for the command, the terminal and the shared root file system. */
async function writeBundle(bundle: string, rootfs: string, command: readonly string[]): Promise<string> {
  await mkdir(bundle, { recursive: true });
  await rm(join(bundle, "config.json"), { force: true });
  await mustRun("crun", ["spec"], { cwd: bundle });
  const spec = JSON.parse(await readFile(join(bundle, "config.json"), "utf8")) as {
    process: { terminal: boolean; args: readonly string[] };
    root: { path: string; readonly: boolean };
  };
  spec.process.terminal = false;
  spec.process.args = command;
  spec.root = { path: rootfs, readonly: false };
  await writeFile(join(bundle, "config.json"), JSON.stringify(spec));
  return bundle;
}
