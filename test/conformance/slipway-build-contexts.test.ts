import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { writeFiles } from "#fixtures/files";
import type { Outcome } from "#fixtures/program";

let daemon: TestDaemon;
let folder: string;

before(async () => {
  daemon = await startDaemon({ busybox: true });
  folder = await mkdtemp(join(tmpdir(), "slipway-own-build-"));
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function contextOf(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const context = join(folder, name);
  await writeFiles(context, files);
  return context;
}

async function slipway(...args: readonly string[]): Promise<Outcome> {
  return await daemon.slipwayWith({ env: { DOCKER_CONFIG: folder, TOKEN: "hush" } }, ...args);
}

/** What it shows on stderr; it must end well. */
async function built(...args: readonly string[]): Promise<string> {
  const { code, stderr } = await slipway("build", ...args);
  assert.equal(code, 0, stderr);
  return stderr;
}

test("slipway build: context on stdin and by archive, another context by name, a Dockerfile of elsewhere", async () => {
  const library = await contextOf("library", { part: "from the library" });
  const context = await contextOf("main", { part: "from here" });
  const file = join(folder, "elsewhere.Dockerfile");
  await writeFile(file, "FROM busybox\nCOPY part /own\nCOPY --from=lib part /lib\n");
  await built("-t", "two:1", "-f", file, "--build-context", `lib=${library}`, context);
  assert.equal((await slipway("run", "--rm", "two:1", "cat", "/own", "/lib")).stdout, "from herefrom the library");
});
