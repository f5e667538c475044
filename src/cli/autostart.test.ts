import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Outcome, runProgram } from "#fixtures/program";

// A daemon's outside: notes that it was started, and answers a moment later; ends by itself.
const standIn = `
import { appendFileSync } from "node:fs";
import { createServer } from "node:net";
const [socket, count] = process.argv.slice(2);
appendFileSync(count, "started ");
setTimeout(() => createServer(() => {}).listen(socket), 300);
setTimeout(() => process.exit(), 4000);
`;

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-start-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function ensure(folder: string, daemon: string): Promise<Outcome> {
  const module = join(import.meta.dirname, "autostart.ts");
  const argv = JSON.stringify([daemon, join(folder, "s"), join(folder, "count")]);
  const code = `const { ensureDaemon } = await import(${JSON.stringify(module)}); await ensureDaemon("unix://${folder}/s", ${argv});`;
  return await runProgram(process.execPath, ["--input-type=module", "-e", code]);
}

test("ensureDaemon: several at once start one daemon, and all wait until it answers", async () => {
  await withFolder(async (folder) => {
    const daemon = join(folder, "daemon.mjs");
    await writeFile(daemon, standIn);
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => ensure(folder, daemon)));
    assert.deepEqual(
      outcomes.map(({ code }) => code),
      [0, 0, 0, 0],
    );
    assert.equal(await readFile(join(folder, "count"), "utf8"), "started ");
    const said = outcomes.map(({ stderr }) => stderr).join("");
    assert.equal(
      said,
      `slipway: no daemon answers: starting one (log: ${folder}/daemon.log)\n`,
      "one line, by the one that started it",
    );
    assert.equal(existsSync(join(folder, "autostart.lock")), false);
    assert.deepEqual(await ensure(folder, daemon), { code: 0, stdout: "", stderr: "" }, "it runs: nothing to say");
  });
});

test("ensureDaemon: a daemon that does not start is told of with its last words", async () => {
  await withFolder(async (folder) => {
    const daemon = join(folder, "daemon.mjs");
    await writeFile(daemon, 'console.error("no room on disk"); process.exit(1);');
    const { code, stderr } = await ensure(folder, daemon);
    assert.notEqual(code, 0);
    assert.match(stderr, /the daemon did not start:\nno room on disk/);
    assert.match(stderr, /slipway doctor/);
  });
});

test("ensureDaemon: the lock of a process that died is taken over", async () => {
  await withFolder(async (folder) => {
    const daemon = join(folder, "daemon.mjs");
    await writeFile(daemon, standIn);
    await writeFile(join(folder, "autostart.lock"), "2147483646");
    assert.equal((await ensure(folder, daemon)).code, 0);
    assert.equal(await readFile(join(folder, "count"), "utf8"), "started ");
  });
});
