import type { Images } from "#images";
import type { BuildRequest } from "../build.ts";
import type { FilesOf, Node } from "../graph/graph.ts";
import type { RemoteSource } from "../solve/parts.ts";
import type { Files } from "../solve/work.ts";
import type { FileTree } from "./files.ts";
import type { BuildFiles } from "./open.ts";

/** What trees are opened with. */
export interface TreesParts {
  readonly files: BuildFiles;
  readonly images: { readonly layers: Pick<Images["layers"], "shownAt"> };
  /** An empty folder that programs see stacks at. */
  readonly mountPoint: string;
}

/** The trees of files that one build takes from, each opened when it is first asked for, and all closed with this. */
export class Trees implements AsyncDisposable {
  readonly #parts: TreesParts;
  readonly #request: BuildRequest;
  readonly #signal: AbortSignal;
  readonly #open = new Map<unknown, Promise<FileTree>>();
  #textAlone: string | undefined;

  constructor(parts: TreesParts, request: BuildRequest, signal: AbortSignal) {
    this.#parts = parts;
    this.#request = request;
    this.#signal = signal;
  }

  async of(from: FilesOf, files: (node: Node) => Promise<Files>): Promise<FileTree> {
    if (from.kind === "context") return await this.context(from.name);
    const { node } = from;
    return await this.#once(node, async () => {
      const { stack } = await files(node);
      const { files: opener, images, mountPoint: tree } = this.#parts;
      return opener.openRoot(nameOf(node), { tree, mounts: images.layers.shownAt(stack, tree) });
    });
  }

  /** A context by its name; empty: the build's own. */
  async context(name: string): Promise<FileTree> {
    return await this.#once(name, async () => await this.#openContext(name));
  }

  /** A Dockerfile that came alone in the place of the context. */
  get textAlone(): string | undefined {
    return this.#textAlone;
  }

  /** What ADD takes from elsewhere. */
  async remote(source: RemoteSource): Promise<FileTree> {
    const { files } = this.#parts;
    const { url, checksum } = source;
    const checked = checksum === undefined ? {} : { checksum };
    return await this.#once(`add ${JSON.stringify(source)}`, async () => {
      if (source.kind === "url") return (await files.fetchUrl(url, checked, this.#signal)).tree;
      const sshAgent = this.#request.sshAgents.get("default");
      const options = { keepGitDir: source.keepGitDir, ...checked, ...(sshAgent !== undefined && { sshAgent }) };
      return await files.checkoutGit(url, options, this.#signal);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ends = await Promise.allSettled(this.#open.values());
    for (const end of ends) if (end.status === "fulfilled") await end.value[Symbol.asyncDispose]();
  }

  async #once(key: unknown, open: () => Promise<FileTree>): Promise<FileTree> {
    const tree = this.#open.get(key) ?? open();
    this.#open.set(key, tree);
    return await tree;
  }

  async #openContext(name: string): Promise<FileTree> {
    const { files } = this.#parts;
    const { dockerfile, context, contexts } = this.#request;
    const asked = name === "" ? context : contexts[name];
    if (asked === undefined || asked.kind === "image") throw new Error(`no such context: ${name}`);
    const own = name === "" && "path" in dockerfile ? { dockerfile: dockerfile.path } : {};
    const opened = await files.openContext(asked, { name: name || "context", ...own }, this.#signal);
    if (opened.kind === "tree") return opened.tree;
    this.#textAlone = opened.text;
    const empty = await files.openContext({ kind: "empty" }, { name: "context" }, this.#signal);
    if (empty.kind === "tree") return empty.tree;
    throw new Error("nothing is no Dockerfile");
  }
}

function nameOf(node: Node): string {
  return node.kind === "base" && node.base.kind === "image" ? `image ${node.base.reference}` : "stage";
}
