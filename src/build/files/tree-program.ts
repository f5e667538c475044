import { setImmediate as pause } from "node:timers/promises";
import { Fault } from "#core/fault";
import type { Program, RunningProgram, Shim } from "#host";
import { errorName } from "./error-name.ts";
import { type FileFacts, readFacts } from "./file-facts.ts";

/** A folder that is shown to the program as its whole world. */
export interface TreePlace {
  readonly tree: string;
  readonly mounts?: Program["mounts"];
}

/** One record of an answer (shim/files.c). */
export type TreeRecord =
  | { readonly kind: "facts"; readonly facts: FileFacts }
  | { readonly kind: "data"; readonly bytes: Buffer }
  | { readonly kind: "end" }
  /** The answer stays without: `ENOENT` … */
  | { readonly kind: "error"; readonly code: string };

const openQuestions = 256;
/** So long we may work on answers before others get their turn. */
const turnMs = 5;
const pathLimit = 4095;
const absent: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"]);

/**
 * A process that looks into a tree for us, with that tree as its root: nobody who changes the tree meanwhile leads it out, and
 * a file system that hangs holds up that process, not the daemon. Paths are bytes as latin1 strings, `""` the root.
 */
export class TreeProgram implements AsyncDisposable {
  readonly #program: RunningProgram;
  readonly #isMounted: boolean;
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #signal: AbortSignal;
  #waiting: Buffer = Buffer.alloc(0);
  #at = 0;
  #questions: Buffer[] = [];
  #sending: Promise<void> = Promise.resolve();
  #turnBegan = performance.now();

  private constructor(program: RunningProgram, isMounted: boolean, signal: AbortSignal) {
    this.#program = program;
    this.#isMounted = isMounted;
    this.#pieces = program.stdout[Symbol.asyncIterator]();
    this.#signal = signal;
  }

  static async start(shim: Shim, place: TreePlace, signal: AbortSignal): Promise<TreeProgram> {
    const { tree, mounts = [] } = place;
    return new TreeProgram(
      await shim.run({ tree, mounts, argv: ["/"], builtin: "files" }, signal),
      mounts.length > 0,
      signal,
    );
  }

  /** What a path is; undefined: nothing is there. */
  async look(path: string): Promise<FileFacts | undefined> {
    this.ask("look", path);
    let found: FileFacts | undefined;
    for (;;) {
      const record = this.ready() ?? (await this.next());
      if (record.kind === "facts") found = record.facts;
      if (record.kind === "end") return found;
      if (record.kind !== "error") continue;
      if (absent.has(record.code)) return undefined;
      throw unreadable(path, record.code);
    }
  }

  /** Puts a question; its answer comes after those of the questions before. */
  ask(what: "look" | "list" | "read", path: string): void {
    const bytes = Buffer.from(`l....${path.startsWith("/") ? path : `/${path}`}`, "latin1");
    if (bytes.length - 5 > pathLimit)
      throw new Fault("invalid", `a path in the build's files has more than ${pathLimit} bytes`);
    bytes[0] = (what === "look" ? "s" : what === "list" ? "l" : "r").charCodeAt(0);
    bytes.writeUInt32BE(bytes.length - 5, 1);
    this.#questions.push(bytes);
    if (this.#questions.length >= openQuestions) this.#send();
  }

  /** The next record if it is here already. */
  ready(): TreeRecord | undefined {
    const left = this.#waiting.length - this.#at;
    if (left < 5) return undefined;
    const length = this.#waiting.readUInt32BE(this.#at + 1);
    if (left < 5 + length) return undefined;
    const kind = this.#waiting[this.#at];
    const body = this.#waiting.subarray(this.#at + 5, this.#at + 5 + length);
    this.#at += 5 + length;
    return recordOf(kind, body, this.#isMounted);
  }

  /** The next record; sends the questions that wait. */
  async next(): Promise<TreeRecord> {
    for (;;) {
      const record = this.ready();
      if (record !== undefined) return record;
      if (this.#questions.length > 0) this.#send();
      // Pieces that are here already come without anybody else's turn between them.
      if (performance.now() - this.#turnBegan > turnMs) {
        await pause();
        this.#turnBegan = performance.now();
      }
      const piece = await this.#pieces.next();
      this.#signal.throwIfAborted();
      if (piece.done === true) throw await this.#broken();
      const rest = this.#waiting.subarray(this.#at);
      this.#waiting = rest.length === 0 ? Buffer.from(piece.value) : Buffer.concat([rest, piece.value]);
      this.#at = 0;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }

  #send(): void {
    const bytes = Buffer.concat(this.#questions);
    this.#questions = [];
    // Not waited for: the program may be waiting for us to take its answers. A lost program shows when these are read.
    this.#sending = this.#sending.then(async () => await this.#program.write(bytes)).catch(() => undefined);
  }

  async #broken(): Promise<Fault> {
    const { code, signal } = await this.#program.ended;
    return new Fault(
      "internal",
      `what reads the build's files has ended (${signal === null ? `status ${code}` : `signal ${signal}`})`,
    );
  }
}

/** Why a path of a tree cannot be read. */
export function unreadable(path: string, code: string): Fault {
  const shown = Buffer.from(path, "latin1").toString();
  if (code === "ENOENT" || code === "ESTALE" || code === "ENOTDIR" || code === "ELOOP" || code === "EINVAL")
    return new Fault("conflict", `/${shown} was changed while it was read`, { remedy: "Build again." });
  if (code === "EACCES" || code === "EPERM")
    return new Fault("forbidden", `cannot read /${shown}: permission denied`, {
      remedy: "The daemon may not read that file system: send the context as an archive (`tar c . | docker build -`).",
    });
  return new Fault("internal", `cannot read /${shown}: ${code}`);
}

function recordOf(kind: number | undefined, body: Buffer, isMounted: boolean): TreeRecord {
  switch (String.fromCharCode(kind ?? 0)) {
    case "f":
      return { kind: "facts", facts: readFacts(body, isMounted) };
    case "d":
      return { kind: "data", bytes: body };
    case ".":
      return { kind: "end" };
    case "e":
      return { kind: "error", code: errorName(body.readUInt32BE(0)) };
    default:
      throw new Fault("internal", "what reads the build's files answered something else");
  }
}
