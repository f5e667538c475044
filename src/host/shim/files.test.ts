import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as fc from "fast-check";
import { openTestBed, type TestBed } from "./test-bed.ts";

let bed: TestBed;
let tree = "";

before(async () => {
  bed = await openTestBed();
  tree = join(bed.dir, "tree");
  await mkdir(join(tree, "d"), { recursive: true });
  await writeFile(join(tree, "d/f"), "bytes");
  await chmod(join(tree, "d/f"), 0o640);
  await symlink("../../etc/passwd", join(tree, "out"));
  execFileSync("mkfifo", [join(tree, "pipe")]);
  execFileSync("mknod", [join(tree, "null"), "c", "1", "3"]);
  execFileSync("setfattr", ["-n", "user.x", "-v", "value", join(tree, "d/f")]);
  execFileSync("setfattr", ["-n", "trusted.x", "-v", "hidden", join(tree, "d/f")]);
});
after(async () => await bed[Symbol.asyncDispose]());

/** Records as `kind:body`, with facts as `f:type mode name -> target [attributes]`. */
async function ask(input: Uint8Array): Promise<{ readonly records: string[]; readonly code: number | null }> {
  const { stdout, code } = await bed.shim.runToEnd({ argv: ["/"], tree, builtin: "files", input, timeLimitMs: 20_000 });
  const bytes = Buffer.from(stdout);
  const records: string[] = [];
  for (let at = 0; at + 5 <= bytes.length;) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    records.push(`${String.fromCharCode(bytes[at] ?? 0)}:${shown(bytes[at], bytes.subarray(at + 5, end))}`);
    at = end;
  }
  return { records, code };
}

function shown(kind: number | undefined, body: Buffer): string {
  if (kind === 0x65) return String(body.readUInt32BE(0));
  if (kind !== 0x66) return body.toString();
  const [nameEnd, targetBytes] = [76 + body.readUInt16BE(72), body.readUInt16BE(74)];
  const rest = body
    .toString("latin1", nameEnd + targetBytes)
    .replaceAll(/[\0-\x1f]+/g, " ")
    .trim();
  return `${body.readUInt32BE(0).toString(8)} ${body.toString("utf8", 76, nameEnd)} -> ${body.toString("utf8", nameEnd, nameEnd + targetBytes)} [${rest}]`;
}

function question(what: string, path: string): Buffer {
  const bytes = Buffer.from(`${what}....${path}`);
  bytes.writeUInt32BE(bytes.length - 5, 1);
  return bytes;
}

test("files: lists, looks and reads; a symlink at the end is not followed, one on the way stays in the tree", async () => {
  const { records, code } = await ask(
    Buffer.concat([
      question("l", "/d"),
      question("r", "/d/f"),
      question("s", "/out"),
      question("r", "/out"),
      question("s", "/out/x"),
    ]),
  );
  assert.deepEqual(records, [
    "f:100640 f ->  [user.xvalue]",
    ".:",
    "f:100640  ->  []",
    "d:bytes",
    ".:",
    "f:120777  -> ../../etc/passwd []",
    ".:",
    "e:40",
    "e:2",
  ]);
  assert.equal(code, 0);
});

test("files: pipes, devices and folders are not read, and hold nobody up", async () => {
  const { records } = await ask(
    Buffer.concat([question("r", "/pipe"), question("r", "/null"), question("r", "/d"), question("l", "/pipe")]),
  );
  assert.deepEqual(records, ["e:22", "e:13", "e:22", "e:20"]);
});

test("files: whatever it is asked, it answers or ends, and never breaks", async () => {
  const one = fc
    .tuple(fc.constantFrom("s", "l", "r", "x"), fc.stringMatching(/^[/.dfout]{0,12}$/))
    .map(([what, path]) => question(what, path));
  const input = fc.array(
    fc.oneof({ weight: 4, arbitrary: one }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }) }),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(input, async (pieces) => {
      const { code } = await ask(Buffer.concat(pieces));
      assert.ok(code === 0 || code === 1 || code === 2, String(code));
    }),
    { numRuns: 60 },
  );
  const long = await ask(question("s", `/${"x".repeat(4095)}`));
  assert.equal(long.code, 2);
});
