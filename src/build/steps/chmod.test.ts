import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseChmod } from "./chmod.ts";

test("parseChmod: does to a file what chmod(1) does without a umask", () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-chmod-"));
  try {
    const path = join(folder, "file");
    writeFileSync(path, "");
    const changes = [
      "755",
      "0644",
      "4755",
      "u=rwX,go=rX",
      "a+x",
      "+x",
      "-w",
      "go-rwx",
      "g=u",
      "u+s,g-w",
      "o+t",
      "+t",
      "u=rw,g=r,o=",
      "a=r+x",
      "u-x+w,o=g",
      "+X",
      "u=",
      "ug+rw",
      "o=u-x",
    ];
    for (const change of changes)
      for (const mode of [0o600, 0o751, 0o4711, 0o2664]) {
        chmodSync(path, mode);
        execFileSync("sh", ["-c", 'umask 0; chmod -- "$1" "$2"', "sh", change, path]);
        const expected = statSync(path).mode & 0o7777;
        assert.equal(
          parseChmod(change)(mode, false).toString(8),
          expected.toString(8),
          `${change} of ${mode.toString(8)}`,
        );
      }
    assert.equal(parseChmod("u=rwX,go=rX")(0o600, true), 0o755);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("parseChmod: what is no mode is refused, numbers in BuildKit's words", () => {
  for (const text of ["9", "10000", "0o755", "-1", ""])
    assert.throws(() => parseChmod(text), {
      kind: "invalid",
      message: `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`,
    });
  for (const text of ["u", "rwx", "u+q", "u+r,", "z+r"])
    assert.throws(() => parseChmod(text), { kind: "invalid", message: /invalid chmod parameter/ });
});
