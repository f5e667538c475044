import { isAbsolute, normalize } from "node:path";
import { Fault } from "#core/fault";
import { diskSizeOf, type MountFlag } from "#host";
import type { VolumeSource } from "./volumes.ts";

type Options = Readonly<Record<string, string>>;

/**
 * What a local volume's options (`type`, `device`, `o`) mean; undefined when its data is its own (with a bound or without:
 * `boundOf`). As in Docker they are mount(2)'s words, and no helper program's. Faults `invalid`, in Docker's words where it has some.
 */
export function localSource(options: Options): VolumeSource | undefined {
  const odd = Object.keys(options).find((name) => !["type", "device", "o", "size"].includes(name));
  if (odd !== undefined) throw new Fault("invalid", `invalid option: ${JSON.stringify(odd.slice(0, 100))}`);
  if (Object.keys(options).length === 0 || boundOf(options) !== undefined) return undefined;
  for (const name of ["device", "type"]) {
    if ((options[name] ?? "") === "") throw new Fault("invalid", `missing required option: "${name}"`);
  }
  const { type = "", device = "", o = "" } = options;
  const { flags, data, binds } = readMountWords(o);
  if (/\0/.test(type + device + o)) throw new Fault("invalid", "a volume's options must not contain a NUL byte");
  if (binds) return bindSource(device, flags, data);
  if (type === "none") {
    throw new Fault("invalid", 'a local volume of type "none" needs o=bind', { remedy: "Add --opt o=bind." });
  }
  if (type === "tmpfs" || type === "ramfs") return { kind: "memory", type, device, flags, data: data.join(",") };
  if (isNfs(type)) checkNfs(data);
  return { kind: "mount", type, device, flags, data: data.join(",") };
}

/** Whether a type is NFS, whose `addr` the kernel wants as a number. */
export function isNfs(type: string): boolean {
  return type === "nfs" || type === "nfs4";
}

/** The bytes that a volume's data may take (`size`); undefined without a bound. Faults: `invalid` in Docker's words. */
export function boundOf({ size, ...others }: Options): number | undefined {
  if (size === undefined) return undefined;
  const sizeBytes = diskSizeOf(size);
  const [other] = Object.keys(others);
  if (other === undefined) return sizeBytes;
  throw new Fault("invalid", `conflicting options: "size" and ${JSON.stringify(other)}`, {
    remedy: "Only a volume's own data has a bound; one in memory has its size in o: --opt o=size=64m.",
  });
}

function bindSource(device: string, flags: readonly MountFlag[], data: readonly string[]): VolumeSource {
  if (!isAbsolute(device)) {
    throw new Fault("invalid", `invalid device for a bind: '${device.slice(0, 200)}' must be an absolute path`);
  }
  if (data.length > 0) throw new Fault("invalid", `invalid option for a bind: ${JSON.stringify(data[0])}`);
  return { kind: "folder", path: normalize(device), flags };
}

/** mount.nfs would look the server up and speak to it first; the kernel alone is told where it is. */
function checkNfs(data: readonly string[]): void {
  if (data.some((word) => word.startsWith("addr="))) return;
  throw new Fault("invalid", "a local volume of type nfs needs the server's address: o=addr=…", {
    remedy:
      "The kernel mounts it without a helper: --opt type=nfs --opt o=addr=192.0.2.1,rw --opt device=:/path (with nfsvers=4 for NFS 4).",
  });
}

function readMountWords(text: string): { flags: MountFlag[]; data: string[]; binds: boolean } {
  const flags = new Set<MountFlag>();
  const data: string[] = [];
  let binds = false;
  for (const word of text.split(",").filter((one) => one !== "")) {
    const off = opposites[word];
    if (word === "bind" || word === "rbind") binds = true;
    else if (word === "remount") throw new Fault("invalid", 'invalid option: "remount"');
    else if (isFlag(word)) flags.add(word);
    else if (off !== undefined) flags.delete(off);
    else if (word !== "defaults") data.push(word);
  }
  return { flags: [...flags], data, binds };
}

function isFlag(word: string): word is MountFlag {
  return (flagWords as readonly string[]).includes(word);
}

const flagWords = [
  "ro",
  "nosuid",
  "nodev",
  "noexec",
  "sync",
  "dirsync",
  "noatime",
  "nodiratime",
  "relatime",
  "strictatime",
] as const satisfies readonly MountFlag[];

/** Words that take an earlier one back. */
const opposites: Readonly<Record<string, MountFlag>> = {
  rw: "ro",
  suid: "nosuid",
  dev: "nodev",
  exec: "noexec",
  async: "sync",
  atime: "noatime",
  diratime: "nodiratime",
  norelatime: "relatime",
  nostrictatime: "strictatime",
};
