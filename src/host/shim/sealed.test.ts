import assert from "node:assert/strict";
import { copyFile, mkdtemp, realpath, rename, rm, utimes } from "node:fs/promises";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { connectShim, stopZygote } from "./shim.ts";

const shimPath = resolve(import.meta.dirname, "../../../build/shim/slipway-shim");

test("zygote --keep: the program runs from sealed memory until its file changes", async () => {
  const folder = await mkdtemp("/run/slipway-sealed-");
  const socketPath = join(folder, "shim.sock");
  const keptProgram = join(folder, "busybox");
  await copyFile("/bin/busybox", keptProgram);
  await using shim = await connectShim({ socketPath, shimPath, keptProgram });
  const runsFrom = async (program: string): Promise<string> => {
    const { code, stdout } = await shim.runToEnd({ argv: [program, "readlink", "/proc/self/exe"] });
    assert.equal(code, 0);
    return Buffer.from(stdout).toString().trim();
  };
  try {
    assert.equal(await runsFrom(keptProgram), "/memfd:runtime (deleted)");
    assert.equal(await runsFrom("/bin/busybox"), await realpath("/bin/busybox"));
    await copyFile("/bin/busybox", `${keptProgram}.new`);
    await utimes(`${keptProgram}.new`, 1, 1);
    await rename(`${keptProgram}.new`, keptProgram); // as an upgrade does
    assert.equal(await runsFrom(keptProgram), keptProgram);
  } finally {
    await stopZygote(socketPath);
    await rm(folder, { recursive: true });
  }
});

test("zygote --keep: without such a program all is as ever", async () => {
  const folder = await mkdtemp("/run/slipway-sealed-");
  const socketPath = join(folder, "shim.sock");
  await using shim = await connectShim({ socketPath, shimPath, keptProgram: join(folder, "absent") });
  try {
    assert.equal((await shim.runToEnd({ argv: ["true"] })).code, 0);
  } finally {
    await stopZygote(socketPath);
    await rm(folder, { recursive: true });
  }
});
