import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { makeImage } from "../../tools/image/make-image.ts";
import { fillBusybox } from "../fixtures/images.ts";

const execute = promisify(execFile);

/** What an image has instead of, or beside, busybox's own files; paths without a leading slash. */
export interface HostileContent {
  readonly files?: Readonly<Record<string, string>>;
  readonly symlinks?: Readonly<Record<string, string>>;
  readonly fifos?: readonly string[];
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Writes a docker-archive of `docker.io/library/NAME:latest` to the target: busybox with such content. */
export async function hostileImage(target: string, name: string, content: HostileContent): Promise<void> {
  const rootfs = await mkdtemp(join(tmpdir(), "slipway-image-"));
  try {
    await fillBusybox(rootfs);
    const place = async (path: string): Promise<string> => {
      const full = join(rootfs, path);
      await rm(full, { recursive: true, force: true });
      await mkdir(dirname(full), { recursive: true });
      return full;
    };
    for (const [path, text] of Object.entries(content.files ?? {})) await writeFile(await place(path), text);
    for (const [path, to] of Object.entries(content.symlinks ?? {})) await symlink(to, await place(path));
    for (const path of content.fifos ?? []) await execute("mkfifo", [await place(path)]);
    const config = { Cmd: ["sh"], Env: ["PATH=/bin:/sbin:/usr/bin:/usr/sbin"], ...content.config };
    const names = [`docker.io/library/${name}:latest`];
    await makeImage({ layers: [rootfs], config, names, epochS: 1_767_225_600, form: "docker" }, target);
  } finally {
    await rm(rootfs, { recursive: true, force: true });
  }
}
