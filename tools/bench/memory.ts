import { readFile } from "node:fs/promises";

/** Resident memory of a process, in bytes. */
export async function residentBytes(pid: number): Promise<number> {
  return await statusKib(`/proc/${pid}/status`, "VmRSS");
}

/** Memory that a process shares with no other, in bytes: what one more of its kind costs. */
export async function privateBytes(pid: number): Promise<number> {
  const path = `/proc/${pid}/smaps_rollup`;
  return (await statusKib(path, "Private_Clean")) + (await statusKib(path, "Private_Dirty"));
}

/** The process that started another one. */
export async function parentOf(pid: number): Promise<number> {
  return Number(/^PPid:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]);
}

async function statusKib(path: string, name: string): Promise<number> {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(await readFile(path, "utf8"))?.[1];
  if (found === undefined) throw new Error(`${path} has no ${name}`);
  return Number(found) * 1024;
}
