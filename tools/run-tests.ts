/**
 * `npm test` after the set-up: the checks, then every test file by node's own runner, then a look at what the run left on the
 * machine. Arguments name test files; then only those run, without checks.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { glob } from "node:fs/promises";
import { join } from "node:path";
import { settle, takeInventory } from "../test/fixtures/inventory.ts";

const root = join(import.meta.dirname, "..");
const named = process.argv.slice(2);
const failed: string[] = [];

if (named.length === 0 && (await run(["tools/check.ts"])) !== 0) failed.push("checks");

const before = await takeInventory();
const files = named.length > 0 ? named : await testFiles();
// Two files at once: most wait for containers, but those that measure or kill daemons suffer from a crowd.
const code = await run(["--test", "--test-concurrency=2", "--test-timeout=180000", ...files], {
  // What users start is what is tested; in a single file's run the sources are.
  ...(named.length === 0 && { SLIPWAY_TEST_PROGRAM: join(root, "build/slipway/slipway.js") }),
});
if (code !== 0) failed.push("tests");

const left = await settle(before, undefined, 10_000);
if (left.length > 0) {
  failed.push("left over");
  console.log(`✗ the run left this on the machine:\n${left.map((line) => `  ${line}`).join("\n")}`);
} else {
  console.log("✓ nothing left over: no mount, link, table, cgroup, folder, process");
}
if (failed.length > 0) console.log(`✗ failed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;

async function testFiles(): Promise<string[]> {
  const found: string[] = [];
  for await (const path of glob("{src,test,tools,examples,shim,hello}/**/*.test.ts", { cwd: root })) found.push(path);
  return found.toSorted();
}

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number> {
  const child = spawn(process.execPath, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env } });
  const [status] = (await once(child, "exit")) as [number | null];
  return status ?? 1;
}
