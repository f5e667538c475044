import { Fault } from "#core/fault";
import type { Program, Shim } from "#host";

/** The folder that find(1) is to see as its whole world, and the mounts that make it. */
export interface ListedTree {
  readonly tree: string;
  readonly mounts?: Program["mounts"];
}

/**
 * Runs find(1) inside a tree and yields its records, whose fields `format` ends with `\0`; bytes as latin1. Paths begin
 * with `./`. With `folders`, it looks at what lies directly in these, or (`deep`) anywhere below them; those that are not there are
 * passed over. Otherwise it looks at everything. What goes while find looks, as in a running container, is passed over too.
 */
export async function* listTree(
  shim: Shim,
  { tree, mounts }: ListedTree,
  look: {
    readonly tests?: readonly string[];
    readonly format: string;
    readonly folders?: readonly string[];
    readonly deep?: boolean;
  },
): AsyncGenerator<string[], void, void> {
  const { tests = [], format, folders, deep = false } = look;
  const depth = deep ? ["-mindepth", "1", "-xdev"] : ["-mindepth", "1", "-maxdepth", "1"];
  const print = [...tests, "-printf", format];
  const argv =
    folders === undefined
      ? ["find", ".", "-mindepth", "1", "-xdev", ...print]
      : ["xargs", "-0", "-r", "sh", "-c", `exec find "$@" ${quoted([...depth, ...print])}`, "sh"];
  await using program = await shim.run({ argv, tree, ...(mounts !== undefined && { mounts }), env: { LC_ALL: "C" } });
  const fed = feed(program, folders ?? []);
  fed.catch(() => undefined);
  yield* records(program.stdout, format.split(String.raw`\0`).length - 1);
  const end = await program.ended;
  await fed.catch(() => undefined);
  // 1 is find's, 123 xargs' word for that: something was not there.
  if (end.code !== 0 && end.code !== 1 && end.code !== 123)
    throw new Fault("internal", `cannot look through ${tree}: ${program.stderr().trim().slice(0, 500)}`);
}

async function feed(program: Awaited<ReturnType<Shim["run"]>>, folders: readonly string[]): Promise<void> {
  for (let start = 0; start < folders.length; start += 1000) {
    const piece = folders.slice(start, start + 1000).map((folder) => `${folder}\0`);
    await program.write(Buffer.from(piece.join(""), "latin1"));
  }
  await program.end();
}

async function* records(source: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<string[], void, void> {
  let rest = "";
  let record: string[] = [];
  for await (const piece of source) {
    const fields = (rest + Buffer.from(piece).toString("latin1")).split("\0");
    rest = fields.pop() ?? "";
    for (const field of fields) {
      record.push(field);
      if (record.length < size) continue;
      yield record;
      record = [];
    }
  }
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(" ");
}
