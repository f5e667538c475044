import { readdirSync, readFileSync } from "node:fs";

/** How a process takes signals (proc_pid_status(5)); bit n−1 stands for signal n. */
export interface SignalMasks {
  readonly blocked: bigint;
  readonly ignored: bigint;
  readonly caught: bigint;
  /** Whether it is the first process of a pid namespace: the kernel keeps signals with their default action from it. */
  readonly isFirst: boolean;
}

/** Whether that signal can do nothing to the process; false when it is gone. */
export function isProcessDeafTo(pid: number, signal: number): boolean {
  const masks = readSignalMasks(pid);
  return masks !== undefined && isDeafTo(masks, signal) && !waitsForSignals(pid);
}

/** The masks of a process; undefined when it is gone. */
export function readSignalMasks(pid: number): SignalMasks | undefined {
  try {
    return parseSignalMasks(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return undefined;
  }
}

/** Whether a thread stands in sigwait(3), as inits do: for that time the kernel takes what it waits for out of its masks. */
function waitsForSignals(pid: number): boolean {
  const call = sigTimedWait[process.arch];
  try {
    const threads = readdirSync(`/proc/${pid}/task`).slice(0, mostThreads);
    return threads.some((id) => readFileSync(`/proc/${pid}/task/${id}/syscall`, "utf8").split(" ")[0] === call);
  } catch {
    return false;
  }
}

/** rt_sigtimedwait's number. */
const sigTimedWait: Readonly<Partial<Record<NodeJS.Architecture, string>>> = {
  x64: "128",
  arm64: "137",
  riscv64: "137",
  arm: "177",
};
const mostThreads = 256;

/** The masks in the text of `/proc/PID/status`; undefined when it has none, as a dead process'. */
export function parseSignalMasks(status: string): SignalMasks | undefined {
  const mask = (name: string): bigint | undefined => {
    const digits = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1];
    return digits === undefined ? undefined : BigInt(`0x${digits}`);
  };
  const [blocked, ignored, caught] = [mask("SigBlk"), mask("SigIgn"), mask("SigCgt")];
  if (blocked === undefined || ignored === undefined || caught === undefined) return undefined;
  const ownPid = /^NSpid:.*\s(\d+)$/m.exec(status)?.[1];
  return { blocked, ignored, caught, isFirst: ownPid === "1" };
}

/** Whether that signal can do nothing to the process. One that is blocked may be waited for, as inits and runtimes of languages do. */
export function isDeafTo({ blocked, caught, ignored, isFirst }: SignalMasks, signal: number): boolean {
  if (signal === 9 || signal === 19) return false; // KILL and STOP ask nobody
  const bit = 1n << BigInt(signal - 1);
  if ((ignored & bit) !== 0n) return true;
  return isFirst && ((caught | blocked) & bit) === 0n;
}
