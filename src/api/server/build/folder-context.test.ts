import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Fault, type FaultKind } from "#core/fault";
import { folderContext } from "./folder-context.ts";

test("folderContext: never for clients of elsewhere, never another folder than the client's, no files, no relative paths", () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-folder-"));
  try {
    const { dev, ino } = statSync(folder, { bigint: true });
    const id = `${dev}:${ino}`;
    const file = join(folder, "file");
    writeFileSync(file, "");
    symlinkSync("/nowhere", join(folder, "dangling"));
    const facts = statSync(file, { bigint: true });
    assert.deepEqual(folderContext(folder, id, true), { kind: "folder", path: folder });
    const refused = (path: string, wanted: string | undefined, isLocal: boolean, kind: FaultKind): void => {
      assert.throws(
        () => folderContext(path, wanted, isLocal),
        (error) => error instanceof Fault && error.kind === kind,
        path,
      );
    };
    refused(folder, id, false, "forbidden");
    refused("relative", id, true, "invalid");
    refused(folder, undefined, true, "conflict");
    refused(folder, `${dev}:${ino + 1n}`, true, "conflict");
    refused(file, `${facts.dev}:${facts.ino}`, true, "conflict");
    refused(join(folder, "dangling"), id, true, "conflict");
    refused(join(folder, "missing"), id, true, "conflict");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
