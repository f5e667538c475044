import { Fault } from "#core/fault";
import type { BuildRequest, ContextRequest } from "../build.ts";
import type { FilesOf, Node } from "../graph/graph.ts";
import type { InternalSteps } from "../internal-steps.ts";
import type { Room } from "../room.ts";
import type { Files } from "../solve/work.ts";
import type { FileTree } from "./files.ts";

/** The trees of files that one build takes from, each opened when it is first asked for, and all closed with this. */
export class Trees implements AsyncDisposable {
  readonly #room: Room;
  readonly #request: BuildRequest;
  readonly #internal: InternalSteps;
  readonly #signal: AbortSignal;
  readonly #contexts = new Map<string, Promise<FileTree>>();
  readonly #nodes = new Map<Node, Promise<FileTree>>();

  constructor(room: Room, request: BuildRequest, internal: InternalSteps, signal: AbortSignal) {
    this.#room = room;
    this.#request = request;
    this.#internal = internal;
    this.#signal = signal;
  }

  async of(from: FilesOf, files: (node: Node) => Promise<Files>): Promise<FileTree> {
    if (from.kind === "context") return await this.context(from.name);
    const { node } = from;
    const open = this.#nodes.get(node) ?? this.#openNode(node, files);
    this.#nodes.set(node, open);
    return await open;
  }

  /** A context by its name; empty: the build's own. */
  async context(name: string): Promise<FileTree> {
    const open = this.#contexts.get(name) ?? this.#openContext(name);
    this.#contexts.set(name, open);
    return await open;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ends = await Promise.allSettled([...this.#contexts.values(), ...this.#nodes.values()]);
    for (const end of ends) if (end.status === "fulfilled") await end.value[Symbol.asyncDispose]();
  }

  async #openContext(name: string): Promise<FileTree> {
    throw new Error("to be joined");
  }

  async #openNode(node: Node, files: (node: Node) => Promise<Files>): Promise<FileTree> {
    throw new Error("to be joined");
  }
}
