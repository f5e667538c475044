import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const mark = "SLIPWAY_TEST_OWN_NETNS";

/**
 * Runs the test file in a network namespace of its own, so that it can neither disturb the machine nor be disturbed. The
 * first time it registers one test that starts the file again inside, and answers false: the file must then register nothing.
 */
export function insideOwnNetns(fileUrl: string): boolean {
  if (process.env[mark] === "1") {
    spawnSync("ip", ["link", "set", "lo", "up"]);
    return true;
  }
  const file = fileURLToPath(fileUrl);
  void test(`${file.split("/").at(-1)}: in a network namespace of its own`, async () => {
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const child = spawn("unshare", ["--net", "--mount", process.execPath, "--test-reporter=spec", file], {
      env: { ...environment, [mark]: "1" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0) throw new Error(`the tests inside failed (${code}):\n${output}`);
  });
  return false;
}
