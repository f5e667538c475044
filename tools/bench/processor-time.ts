import { readFile } from "node:fs/promises";

/** Processor time of a process and of the children that it has waited for, in milliseconds (to the next ten). */
export async function processorMs(pid: number): Promise<{ readonly own: number; readonly children: number }> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  // After the name in brackets: state is the first field, utime the twelfth.
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15);
  return { own: (user + system) * tickMs, children: (childrenUser + childrenSystem) * tickMs };
}

/** USER_HZ is 100 on every machine that Node runs on. */
const tickMs = 10;

/** Processor time of a process with one thread, to the nanosecond, in milliseconds. */
export async function threadMs(pid: number): Promise<number> {
  const [ns = "0"] = (await readFile(`/proc/${pid}/schedstat`, "utf8")).split(" ");
  return Number(ns) / 1e6;
}
