import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { canEmulate } from "./emulators.ts";

test("canEmulate: an emulator that is on and works in any root, by its name or its program", async () => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-binfmt-"));
  try {
    const entry = async (name: string, state: string, program: string, flags: string): Promise<void> =>
      await writeFile(join(folder, name), `${state}\ninterpreter ${program}\nflags: ${flags}\noffset 0\n`);
    await entry("qemu-aarch64", "enabled", "/usr/libexec/qemu-binfmt/aarch64-binfmt-P", "POCF");
    await entry("own-name", "enabled", "/usr/bin/qemu-riscv64-static", "F");
    await entry("qemu-s390x", "disabled", "/usr/bin/qemu-s390x-static", "F");
    await entry("qemu-arm", "enabled", "/usr/bin/qemu-arm-static", "OC");
    await writeFile(join(folder, "status"), "enabled\n");
    const found = await Promise.all(
      ["arm64", "riscv64", "s390x", "arm", "ppc64le"].map(async (each) => await canEmulate(each, folder)),
    );
    assert.deepEqual(found, [true, true, false, false, false]);
    assert.equal(await canEmulate("arm64", join(folder, "lost")), false);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
