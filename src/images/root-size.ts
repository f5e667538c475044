import { Fault } from "#core/fault";
import type { Shim } from "#host";

/** Bytes of a folder's files as `docker ps -s` counts them: apparent sizes, hard links once, directories not at all. */
export async function rootSizeBytes(shim: Shim, folder: string): Promise<number> {
  const argv = ["find", ".", "-xdev", "!", "-type", "d", "-printf", String.raw`%i %s\n`];
  await using program = await shim.run({ argv, tree: folder, env: { LC_ALL: "C" } });
  await program.end();
  const seen = new Set<string>();
  let sizeBytes = 0;
  for await (const line of lines(program.stdout)) {
    const [inode, size] = line.split(" ");
    if (inode === undefined || size === undefined || seen.has(inode)) continue;
    seen.add(inode);
    sizeBytes += Number(size);
  }
  const end = await program.ended;
  // 1: a file went while find looked, as files of a running container do.
  if (end.code !== 0 && end.code !== 1)
    throw new Fault("internal", `cannot measure ${folder}: ${program.stderr().trim()}`);
  return sizeBytes;
}

async function* lines(source: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, void> {
  let rest = "";
  for await (const piece of source) {
    const parts = (rest + Buffer.from(piece).toString("latin1")).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
