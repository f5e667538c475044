import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const registered = "/proc/sys/fs/binfmt_misc";

/** What qemu calls the processors that images name otherwise. */
const qemuNames: Readonly<Record<string, string>> = {
  amd64: "x86_64",
  arm64: "aarch64",
  "386": "i386",
  ppc64le: "ppc64le",
  riscv64: "riscv64",
  s390x: "s390x",
  mips64le: "mips64el",
  loong64: "loongarch64",
  arm: "arm",
};

/** Whether the kernel hands programs for that processor (`arm64`) to an emulator, one that works in any root file system (flag F). */
export async function canEmulate(architecture: string, folder: string = registered): Promise<boolean> {
  const interpreter = `qemu-${qemuNames[architecture] ?? architecture}`;
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((each) => each !== "register" && each !== "status")) {
    const text = await readFile(join(folder, name), "utf8").catch(() => "");
    const isOurs =
      name === interpreter || new RegExp(`^interpreter .*/${interpreter}(?:-static|-binfmt-P)?$`, "m").test(text);
    if (isOurs && /^enabled$/m.test(text) && /^flags: .*F/m.test(text)) return true;
  }
  return false;
}
