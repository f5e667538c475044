import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { corpusFolder, corpusNames, goldenOf, makeCorpusContext } from "#fixtures/build-corpus";
import { buildOfCorpus, rootOf } from "#fixtures/corpus-builds";
import { startDaemon } from "#fixtures/daemon";
import { mustRun } from "#fixtures/program";

test("build: each Dockerfile of the corpus makes the files and the config that its golden listing tells", async (context) => {
  await using daemon = await startDaemon({ busybox: true });
  const folder = await mkdtemp(join(tmpdir(), "slipway-corpus-"));
  try {
    await mkdir(join(folder, "context"));
    await makeCorpusContext(join(folder, "context"));
    const archive = join(folder, "context.tar");
    await mustRun("tar", ["-C", join(folder, "context"), "-cf", archive, "."]);
    const base = await rootOf(daemon, "busybox");
    for (const name of await corpusNames())
      await context.test(`build: ${name}.Dockerfile`, async () => {
        const lines = await buildOfCorpus(daemon, archive, name, base);
        assert.equal(`${lines.join("\n")}\n`, await goldenOf(name));
      });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("golden: has the listings of the corpus and nothing else", async () => {
  const files = (await readdir(join(corpusFolder, "golden"))).map((name) => name.replace(/\.txt$/, ""));
  assert.deepEqual(files.toSorted(), await corpusNames());
});
