/** `npm run check`: format, types, lint, rules of the house, dead code and shell, all at once; says what failed. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { glob } from "node:fs/promises";
import { join } from "node:path";

interface Outcome {
  readonly name: string;
  readonly output: string;
  readonly failed: boolean;
  readonly tookMs: number;
}

const root = join(import.meta.dirname, "..");
const wanted = process.argv.slice(2);

const checks: Readonly<Record<string, readonly string[]>> = {
  format: [tool("oxfmt"), "--check"],
  types: [tool("tsc"), "-p", "."],
  lint: [tool("oxlint"), "--deny-warnings"],
  tidy: [process.execPath, "tools/tidy.ts"],
  "dead code": [process.execPath, "node_modules/knip/bin/knip.js", "--no-progress"],
  ...(hasShellcheck() && { shell: ["shellcheck", ...(await shellFiles())] }),
};

const chosen = Object.entries(checks).filter(([name]) => wanted.length === 0 || wanted.includes(name));
const outcomes = await Promise.all(chosen.map(async ([name, command]) => await run(name, command)));
for (const { name, failed, output, tookMs } of outcomes) {
  console.log(`${failed ? "✗" : "✓"} ${name} (${tookMs} ms)`);
  if (failed) console.log(output);
}
process.exitCode = outcomes.some(({ failed }) => failed) ? 1 : 0;

function tool(name: string): string {
  return join(root, "node_modules/.bin", name);
}

function hasShellcheck(): boolean {
  return (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(join(folder, "shellcheck")));
}

async function shellFiles(): Promise<string[]> {
  const found = ["slipway", ".ci/run"].filter((path) => existsSync(join(root, path)));
  for await (const path of glob("{tools,shim,hello,test,examples}/**/*.sh", { cwd: root })) found.push(path);
  return found;
}

/** Runs one check with this Node first on the PATH: the tools' own start scripts ask for `node` by name. */
async function run(name: string, command: readonly string[]): Promise<Outcome> {
  const started = performance.now();
  const [program = "", ...args] = command;
  const env = { ...process.env, PATH: `${join(process.execPath, "..")}:${process.env["PATH"] ?? ""}` };
  return await new Promise((resolve) => {
    execFile(program, args, { cwd: root, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`.trim();
      resolve({ name, output, failed: error !== null, tookMs: Math.round(performance.now() - started) });
    });
  });
}
