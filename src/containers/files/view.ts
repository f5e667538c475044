import { join } from "node:path";
import { Fault, isFault } from "#core/fault";
import type { MountOp, Program, RunningProgram } from "#host";
import type { Room } from "../room.ts";
import { isRunning } from "../state.ts";
import type { ContainerRecord } from "../store.ts";
import { scratchFolder, viewFolder } from "./view-folder.ts";
import { lendVolumes, type LentVolumes, shownMounts } from "./view-mounts.ts";

/** A container's tree, for programs of the shim that are confined to it. Disposing it lets others have the container again. */
export interface View extends AsyncDisposable {
  readonly record: ContainerRecord;
  /** Runs a program whose tree is the container's. When this resolves, the program sees that container and no other. */
  run(program: ViewProgram, signal: AbortSignal): Promise<RunningProgram>;
}

export type ViewProgram = Omit<Program, "mounts" | "tree">;

/** `root`: its root file system alone, to be read. */
export type ViewUse = "read" | "write" | "root";

/**
 * Opens a container's tree. While it runs that is what it sees itself, with all its mounts (but for the kernel's own file
 * systems); else its root with its binds and volumes, as the next start would show them. Reading hinders nobody; while a stopped
 * container is written to, nobody can start or remove it.
 */
export async function openView(room: Room, id: string, use: ViewUse): Promise<View> {
  const view = new ContainerView(room, id, use);
  await view.open();
  return view;
}

type Place =
  | { readonly kind: "live"; readonly pid: number }
  | { readonly kind: "stopped"; readonly lock: Disposable }
  | { readonly kind: "shown" };

class ContainerView implements View {
  readonly #room: Room;
  readonly #id: string;
  readonly #use: ViewUse;
  #place: Place | undefined;
  #record: ContainerRecord | undefined;
  #volumes: LentVolumes | undefined;

  constructor(room: Room, id: string, use: ViewUse) {
    this.#room = room;
    this.#id = id;
    this.#use = use;
  }

  get record(): ContainerRecord {
    if (this.#record === undefined) throw new Error("the view is not open");
    return this.#record;
  }

  async open(): Promise<void> {
    await using undo = new AsyncDisposableStack();
    const lock = undo.use(await this.#room.locks.take(this.#id));
    const record = this.#room.store.get(this.#id);
    if (record === undefined) throw new Fault("notFound", `No such container: ${this.#id}`);
    this.#record = record;
    if (isRunning(record.state)) this.#place = { kind: "live", pid: record.state.pid };
    else if (this.#use !== "write") this.#place = { kind: "shown" };
    else {
      await this.#room.views.end(this.#id); // of its last run
      this.#place = { kind: "stopped", lock };
      undo.move();
    }
  }

  async run(program: ViewProgram, signal: AbortSignal): Promise<RunningProgram> {
    for (;;) {
      const place = this.#place;
      if (place === undefined) throw new Error("the view is closed");
      if (place.kind !== "live") return await this.#runStopped(program, signal);
      const running = await this.#runLive(place.pid, program, signal);
      if (running !== undefined) return running;
      // It ended just now: the store learns of it, and the root is still there.
      await this.#room.live.get(this.#id)?.ended;
      signal.throwIfAborted();
      await this.open();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#place?.kind === "stopped") this.#place.lock[Symbol.dispose]();
    this.#place = undefined;
    await this.#volumes?.[Symbol.asyncDispose]();
    this.#volumes = undefined;
  }

  async #runStopped(program: ViewProgram, signal: AbortSignal): Promise<RunningProgram> {
    const { host } = this.#room;
    const tree = viewFolder(host.paths);
    const mounts = await this.#stoppedMounts(tree);
    return await host.shim.run({ ...program, mounts, tree }, signal);
  }

  async #stoppedMounts(tree: string): Promise<readonly MountOp[]> {
    const { host, images } = this.#room;
    const root = images.openRoot(this.#id);
    if (this.#use === "root") return root.shownAt(tree);
    this.#volumes ??= await lendVolumes(this.#room, this.record);
    const scratch = scratchFolder(host.paths);
    const over = await shownMounts(this.#room, this.record, this.#volumes.sources, { root: tree, scratch });
    if (this.#use === "write") return [scratchMount(scratch), ...root.mountsAt(tree), ...over];
    return [scratchMount(scratch), ...withScratchLayer(root.shownAt(tree), scratch), ...over];
  }

  /** Undefined when the container has ended: then the program may have seen anybody's mounts, and is not believed. */
  async #runLive(pid: number, program: ViewProgram, signal: AbortSignal): Promise<RunningProgram | undefined> {
    const { host, views } = this.#room;
    const tree = viewFolder(host.paths);
    const mounts: MountOp[] = [{ op: "live", pid, target: tree, what: this.#use === "root" ? "root" : "all" }];
    const abort = new AbortController();
    try {
      const running = await host.shim.run({ ...program, mounts, tree }, AbortSignal.any([signal, abort.signal]));
      views.add(this.#id, { abort, ended: running.ended });
      if (await this.#isStill(pid)) return running;
      await running[Symbol.asyncDispose]();
    } catch (error) {
      if (!isFault(error, "notFound") || (await this.#isStill(pid))) throw error;
    }
    return undefined;
  }

  /** Its monitor has not seen that process end: the number was the container's all the time. */
  async #isStill(pid: number): Promise<boolean> {
    try {
      const status = await this.#room.live.get(this.#id)?.monitor.status();
      return status?.state === "running" && status.pid === pid;
    } catch {
      return false;
    }
  }
}

function scratchMount(target: string): MountOp {
  const data = "size=16m,mode=0700";
  return { op: "mount", type: "tmpfs", source: "scratch", target, flags: ["nosuid", "nodev"], data };
}

/** The mounts with a passing layer on top, in which missing mount points are made: those of the container stay as they are. */
function withScratchLayer(mounts: readonly MountOp[], scratch: string): MountOp[] {
  const upper = join(scratch, "upper");
  const work = join(scratch, "work");
  return [
    { op: "mkdir", path: upper, mode: 0o755 },
    { op: "mkdir", path: work, mode: 0o700 },
    ...mounts.map((mount) => (mount.op === "overlay" ? { ...mount, upper, work } : mount)),
  ];
}
