import { Fault } from "#core/fault";
import { isNfs } from "./local-options.ts";

/** For a volume whose file system this kernel does not have. */
export function unknownFileSystem(type: string, cause: unknown): Fault {
  const shown = type.slice(0, 40);
  const load = `modprobe ${shown}`;
  return new Fault("unsupported", `failed to mount local volume: the kernel has no file system ${shown}`, {
    cause,
    remedy: isNfs(type)
      ? `Load its module (${load}); on Debian the package nfs-common brings what else NFS needs.`
      : `Load its module (${load}), or choose another --opt type.`,
  });
}
