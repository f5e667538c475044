import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { writeFiles } from "#fixtures/files";
import { choose, copied, openFilesBed } from "./files.fixture.ts";
import { openFolderTree } from "./folder-tree.ts";

/** Each of these is done and undone as fast as a shell can, for as long as we look. */
const attacks: Readonly<Record<string, string>> = {
  "a folder becomes a symlink out of the tree": "mv a/b a/c; ln -s ../../outside a/b; rm a/b; mv a/c a/b",
  "a file becomes a symlink out of the tree":
    "mv a/b/f a/b/g; ln -s ../../../outside/f a/b/f; rm a/b/f; mv a/b/g a/b/f",
  "a file becomes a pipe": "mv a/b/f a/b/g; mkfifo a/b/f; rm a/b/f; mv a/b/g a/b/f",
  "the tree itself is another one":
    "cd ..; mv tree was; mkdir -p tree/a/b; echo outside > tree/a/b/f; rm -r tree; mv was tree; cd tree",
};

for (const [what, attack] of Object.entries(attacks))
  test(`openFolderTree: ${what}, meanwhile: nothing of outside is read, and nothing hangs`, async () => {
    await using bed = await openFilesBed();
    const folder = join(bed.folder, "tree");
    await writeFiles(bed.folder, { "outside/f": "outside", "tree/a/b/f": "inside", "tree/a/z": "inside" });
    await using tree = await openFolderTree(bed.wiring, folder, { name: "context" });
    const attacker = spawn("sh", ["-c", `echo; while :; do ${attack}; done 2>/dev/null`], {
      cwd: folder,
      stdio: ["ignore", "pipe", "ignore"],
    });
    await once(attacker.stdout, "data");
    let through = 0;
    const until = performance.now() + 3000;
    try {
      while (performance.now() < until || through === 0) {
        for (const source of ["a/b/f", "a"]) {
          const lines = await lookOnce(tree, source);
          if (lines === undefined) continue;
          through++;
          assert.ok(!lines.some((line) => line.includes("= outside")), lines.join("\n"));
        }
      }
    } finally {
      attacker.kill("SIGKILL");
      await once(attacker, "exit");
    }
    assert.ok(through > 0);
  });

async function lookOnce(tree: Parameters<typeof choose>[0], source: string): Promise<string[] | undefined> {
  try {
    const selected = await choose(tree, [source]);
    await selected.digest(AbortSignal.timeout(10_000));
    return await copied(selected);
  } catch (error) {
    // `internal`: the tree was away for the moment in which it was to be shown.
    if (isFault(error, "conflict") || isFault(error, "notFound") || isFault(error, "internal")) return undefined;
    throw error;
  }
}

test("openFolderTree: nothing is looked into that no source asks for", async () => {
  await using bed = await openFilesBed();
  const folder = join(bed.folder, "tree");
  await writeFiles(folder, { "wanted/f": "1", "pipes/x": "2" });
  for (let count = 0; count < 200; count++) await mkdir(join(folder, `many/${count}/deep`), { recursive: true });
  await symlink("many", join(folder, "link"));
  await writeFile(join(folder, "top"), "3");
  let asked = 0;
  const shim = {
    ...bed.shim,
    run: async (...given: Parameters<typeof bed.shim.run>) => {
      const running = await bed.shim.run(...given);
      return {
        stdout: running.stdout,
        ended: running.ended,
        write: async (bytes: Uint8Array) => {
          asked += Buffer.from(bytes).toString("latin1").split("/many/").length - 1;
          await running.write(bytes);
        },
        end: async () => await running.end(),
        stderr: () => running.stderr(),
        [Symbol.asyncDispose]: async () => await running[Symbol.asyncDispose](),
      };
    },
  };
  await using tree = await openFolderTree({ ...bed.wiring, shim }, folder, { name: "context" });
  assert.deepEqual(await copied(await choose(tree, ["wanted", "to*"])), ["wanted:/", "wanted:f = 1", "top: = 3"]);
  assert.equal(asked, 0);
});
