import { mkdir } from "node:fs/promises";
import type { BuildOutput } from "#api/client";
import { unpack } from "../files/unpack.ts";
import { writeWhole } from "../output-file.ts";
import { type Surroundings, write } from "../surroundings.ts";
import { csvPairs } from "./csv-pairs.ts";

/** One `--output`; `dest` is where the client puts what comes. */
export interface AskedOutput extends BuildOutput {
  /** A path, or `-`: stdout. */
  readonly dest?: string;
}

/** Reads `--output`, `--push` and `--load`; nothing asked: into the store. Throws an Error in Docker's words. */
export function readOutputFlags(
  items: readonly string[],
  { push, load }: { readonly push: boolean; readonly load: boolean },
  isTerminal: boolean,
): AskedOutput[] {
  const outputs = items.map((item) => readOutput(item, isTerminal));
  if (outputs.filter(({ dest }) => dest === "-").length > 1)
    throw new Error("only one output can be written to stdout");
  const hasImage = outputs.some(({ Type }) => Type === "image" || Type === "registry");
  if (push && hasImage)
    return outputs.map((output) =>
      output.Type === "image" ? { ...output, Attrs: { ...output.Attrs, push: "true" } } : output,
    );
  if (push) return [...outputs, { Type: "image", Attrs: { push: "true" } }];
  if (outputs.length === 0 || (load && !hasImage)) return [...outputs, { Type: "image", Attrs: {} }];
  return outputs;
}

function readOutput(item: string, isTerminal: boolean): AskedOutput {
  // A lone path: a folder, or a tar on stdout.
  if (!item.includes("="))
    return item === "-" ? toStdout("tar", {}, isTerminal) : { Type: "local", Attrs: {}, dest: item };
  const { type, dest, ...attributes } = csvPairs(item);
  if (type === undefined) throw new Error(`type is required for output ${JSON.stringify(item)}`);
  switch (type) {
    case "image":
    case "registry":
    case "cacheonly":
      return { Type: type, Attrs: attributes };
    case "local":
      if (dest === undefined || dest === "") throw new Error("dest is required for local exporter");
      if (dest === "-") throw new Error("dest cannot be stdout for local exporter");
      return { Type: type, Attrs: attributes, dest };
    case "docker":
      // Docker's own store is the engine's.
      if (dest === undefined) return { Type: "image", Attrs: attributes };
      return dest === "-" ? toStdout(type, attributes, isTerminal) : { Type: type, Attrs: attributes, dest };
    case "oci":
    case "tar":
      return dest === undefined || dest === "-"
        ? toStdout(type, attributes, isTerminal)
        : { Type: type, Attrs: attributes, dest };
    default:
      throw new Error(`unknown exporter type: ${type}`);
  }
}

function toStdout(type: string, attributes: Readonly<Record<string, string>>, isTerminal: boolean): AskedOutput {
  if (isTerminal) throw new Error(`dest file is required for ${type} exporter. refusing to write to console`);
  return { Type: type, Attrs: attributes, dest: "-" };
}

/** Takes the bytes of one output as they come, and puts them where they belong. */
export class OutputReceiver {
  readonly #pieces = new TransformStream<Uint8Array, Uint8Array>(undefined, { highWaterMark: 4 }, { highWaterMark: 4 });
  readonly #writer = this.#pieces.writable.getWriter();
  readonly #placed: Promise<void>;
  #failure: unknown;

  constructor(around: Surroundings, output: AskedOutput) {
    this.#placed = place(around, output, this.#pieces.readable);
    // What cannot be written ends the taking too.
    this.#placed.catch(async (error: unknown) => {
      this.#failure = error;
      await this.#writer.abort(error).catch(() => undefined);
    });
  }

  /** Resolves when there is room for more. */
  async take(bytes: Uint8Array): Promise<void> {
    try {
      await this.#writer.ready;
      await this.#writer.write(bytes);
    } catch (error) {
      throw this.#failure ?? error;
    }
  }

  /** All is here; resolves when it is in its place. */
  async end(): Promise<void> {
    await this.#writer.close().catch(() => undefined);
    await this.#placed;
  }

  /** There will be no more: what is not whole is not left behind as if it were. */
  async fail(reason: unknown): Promise<void> {
    await this.#writer.abort(reason).catch(() => undefined);
    await this.#placed.catch(() => undefined);
  }
}

async function place(
  around: Surroundings,
  { Type, dest = "-" }: AskedOutput,
  bytes: AsyncIterable<Uint8Array>,
): Promise<void> {
  if (Type === "local") {
    await mkdir(dest, { recursive: true });
    return await unpack(bytes, dest, {
      rename: (path) => path,
      skipped: (path) => void around.stderr.write(`skipped ${path}: a device or pipe\n`),
    });
  }
  if (dest === "-") {
    for await (const piece of bytes) await write(around.stdout, piece);
    return;
  }
  await writeWhole(dest, "failed to write the build's output", async () => bytes);
}
