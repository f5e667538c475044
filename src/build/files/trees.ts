import { Fault } from "#core/fault";
import type { Images } from "#images";
import type { BuildRequest, ContextRequest } from "../build.ts";
import type { FilesOf, Node } from "../graph/graph.ts";
import type { RemoteSource } from "../solve/parts.ts";
import type { Files } from "../solve/work.ts";
import type { FileTree } from "./files.ts";
import { openArchive } from "./archive-context.ts";
import { openFolderTree } from "./folder-tree.ts";
import { compileIgnore, parseIgnore } from "./ignore.ts";
import { type FilesWiring, openTree } from "./open-tree.ts";

/** What trees are opened with. */
export interface TreesParts {
  readonly files: FilesWiring;
  readonly images: { readonly layers: Pick<Images["layers"], "shownAt"> };
  /** An empty folder that programs see stacks at. */
  readonly mountPoint: string;
  /** Where archives are unpacked. */
  readonly scratchFolder: string;
}

/** The trees of files that one build takes from, each opened when it is first asked for, and all closed with this. */
export class Trees implements AsyncDisposable {
  readonly #parts: TreesParts;
  readonly #request: BuildRequest;
  readonly #signal: AbortSignal;
  readonly #contexts = new Map<string, Promise<FileTree>>();
  #textAlone: string | undefined;
  readonly #nodes = new Map<Node, Promise<FileTree>>();

  constructor(parts: TreesParts, request: BuildRequest, signal: AbortSignal) {
    this.#parts = parts;
    this.#request = request;
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

  /** What ADD takes from elsewhere. */
  async remote(source: RemoteSource): Promise<FileTree> {
    throw new Fault("unsupported", `${source.url}: sources of elsewhere are not here yet`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ends = await Promise.allSettled([...this.#contexts.values(), ...this.#nodes.values()]);
    for (const end of ends) if (end.status === "fulfilled") await end.value[Symbol.asyncDispose]();
  }

  /** A Dockerfile that came alone in the place of the context. */
  get textAlone(): string | undefined {
    return this.#textAlone;
  }

  async #openContext(name: string): Promise<FileTree> {
    const asked = name === "" ? this.#request.context : this.#request.contexts[name];
    if (asked === undefined || asked.kind === "image") throw new Error(`no such context: ${name}`);
    const shown = name === "" ? "context" : `context ${name}`;
    const { dockerfile } = this.#request;
    const ignoreFiles = [
      ...(name === "" && "path" in dockerfile ? [`${dockerfile.path}.dockerignore`] : []),
      ".dockerignore",
    ];
    return await this.#withIgnore(await this.#open(asked, shown), ignoreFiles);
  }

  async #open(asked: ContextRequest, name: string): Promise<FileTree> {
    const { files, scratchFolder, mountPoint } = this.#parts;
    switch (asked.kind) {
      case "folder":
        return await openFolderTree(files, asked.path, { name });
      case "empty":
        return openTree(files, { name, owners: "root", place: { tree: mountPoint } });
      case "archive": {
        const uploaded = await openArchive(files, scratchFolder, asked.bytes, { name }, this.#signal);
        if (uploaded.kind === "tree") return uploaded.tree;
        this.#textAlone = uploaded.text;
        return await this.#open({ kind: "empty" }, name);
      }
      case "remote":
        throw new Fault("unsupported", `contexts of kind ${asked.kind} are not here yet`);
    }
  }

  /** The same tree, without what the first of the files that is there leaves out. */
  async #withIgnore(tree: FileTree, ignoreFiles: readonly string[]): Promise<FileTree> {
    for (const file of ignoreFiles) {
      const text = await tree.read(file, mostIgnoreBytes, this.#signal);
      if (text !== undefined) return tree.without({ matcher: compileIgnore(parseIgnore(text.toString("utf8"))), file });
    }
    return tree;
  }

  async #openNode(node: Node, files: (node: Node) => Promise<Files>): Promise<FileTree> {
    const { stack } = await files(node);
    const { images, mountPoint: tree } = this.#parts;
    const mounts = images.layers.shownAt(stack, tree);
    return openTree(this.#parts.files, { name: nameOf(node), owners: "kept", place: { tree, mounts } });
  }
}

const mostIgnoreBytes = 1 << 20;

function nameOf(node: Node): string {
  return node.kind === "base" && node.base.kind === "image" ? `image ${node.base.reference}` : "stage";
}
