import assert from "node:assert/strict";
import { test } from "node:test";
import { explainContext, findIgnoreFile } from "./ignore-file.ts";

function readFrom(files: Readonly<Record<string, string>>): (path: string) => Promise<Uint8Array | undefined> {
  return async (path) => (files[path] === undefined ? undefined : Buffer.from(files[path]));
}

test("findIgnoreFile: the Dockerfile's own comes before the context's", async () => {
  const read = readFrom({ ".dockerignore": "a", "sub/Dockerfile.dockerignore": "b" });
  assert.equal((await findIgnoreFile(read, "sub/Dockerfile"))?.path, "sub/Dockerfile.dockerignore");
  assert.equal((await findIgnoreFile(read, "Dockerfile"))?.path, ".dockerignore");
  assert.equal((await findIgnoreFile(read, undefined))?.rules[0]?.pattern, "a");
  assert.equal(await findIgnoreFile(readFrom({}), "Dockerfile"), undefined);
});

test("explainContext: tells file and line for each path", async () => {
  const answers = await explainContext(readFrom({ ".dockerignore": "\uFEFF*.log\r\n!a.log\r\n" }), "Dockerfile", [
    "a.log",
    "b.log",
    "c",
  ]);
  assert.deepEqual(
    answers.map(({ path, file, excluded, rule }) => [path, file, excluded, rule?.line, rule?.text]),
    [
      ["a.log", ".dockerignore", false, 2, "!a.log"],
      ["b.log", ".dockerignore", true, 1, "*.log"],
      ["c", ".dockerignore", false, undefined, undefined],
    ],
  );
});
