import { mkdir, mkdtemp, readdir } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#core/fault";
import type { Shim } from "#host";

/** A private folder of the data root, for what a build brings along. */
export interface Scratch extends AsyncDisposable {
  readonly path: string;
}

/** Makes one; what is in it is nobody's but root's. It goes when it is disposed of, or at the next start of the daemon. */
export async function makeScratch(shim: Shim, folder: string): Promise<Scratch> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = await mkdtemp(join(folder, "context-"));
  return { path, [Symbol.asyncDispose]: async () => await remove(shim, [path]) };
}

/** Removes what a killed daemon has left. */
export async function collectScratch(shim: Shim, folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (let at = 0; at < names.length; at += 100)
    await remove(
      shim,
      names.slice(at, at + 100).map((name) => join(folder, name)),
    );
}

async function remove(shim: Shim, paths: readonly string[]): Promise<void> {
  const argv = ["rm", "-rf", "--one-file-system", "--", ...paths];
  const { code, stderr } = await shim.runToEnd({ argv, env: { LC_ALL: "C" } });
  if (code !== 0) throw new Fault("internal", `cannot remove a build's files: ${stderr.trim().slice(0, 500)}`);
}
