import { readFile } from "node:fs/promises";
import { StartFailure } from "#host";
import { unknownFileSystem } from "#volumes";
import { Fault } from "#core/fault";
import type { Ulimit } from "../containers.ts";

/** A start or exec that failed: what is said, and the exit code that the container or exec then has. */
export interface RunFailure {
  readonly fault: Fault;
  readonly exitCode: 126 | 127 | 128;
}

/** Turns what shim and runtime say into Docker's words, which the docker CLI reads to choose its exit code. */
export function startFailure(error: unknown, runtimeWords: string | undefined, args: readonly string[]): RunFailure {
  if (!(error instanceof StartFailure)) {
    return { fault: error instanceof Fault ? error : unexpectedFault(error), exitCode: 128 };
  }
  if (error.stage === "mount" || error.stage === "log" || error.stage === "network") {
    return {
      fault: new Fault("internal", `failed to prepare the container: ${error.message}`, { cause: error }),
      exitCode: 128,
    };
  }
  const unknownType = /the kernel has no file system (\S+)/.exec(error.message)?.[1];
  if (unknownType !== undefined) return { fault: unknownFileSystem(unknownType, error), exitCode: 128 };
  if (error.stage === "path") {
    return {
      fault: new Fault("invalid", `failed to mount a subpath: ${error.message}`, { cause: error }),
      exitCode: 128,
    };
  }
  const words = translateWords(runtimeWords ?? error.message, args);
  const message = `failed to create task for container: failed to create shim task: OCI runtime create failed: ${words}: unknown`;
  return judged(message, error);
}

/** The same failure, with its reason when it is that the runtime itself, which works under the container's limits, has too little. */
export function blameUlimits(failure: RunFailure, ulimits: readonly Ulimit[]): RunFailure {
  const tight = ulimits.find(({ name, soft }) => soft >= 0 && soft < (leastUlimits[name] ?? 0));
  if (tight === undefined || failure.fault.kind !== "internal") return failure;
  const remedy = `The OCI runtime itself works within the limit ${tight.name}=${tight.soft}: give at least ${leastUlimits[tight.name]}.`;
  return { ...failure, fault: new Fault("invalid", failure.fault.message, { cause: failure.fault, remedy }) };
}

/** Below these crun and runc fail with words of their own insides. */
const leastUlimits: Readonly<Record<string, number>> = { nofile: 32, fsize: 65_536, cpu: 1 };

/** The same for `exec`. */
export function execFailure(error: unknown, runtimeWords: string | undefined, args: readonly string[]): RunFailure {
  const words = translateWords(runtimeWords ?? messageOf(error), args);
  return judged(`OCI runtime exec failed: exec failed: unable to start container process: ${words}: unknown`, error);
}

/** The last error in a runtime's JSON log; undefined when it says nothing. */
export async function readRuntimeWords(logPath: string): Promise<string | undefined> {
  const text = await readFile(logPath, "utf8").catch(() => "");
  for (const line of text.trim().split("\n").reverse()) {
    const { level, msg } = parseLine(line);
    if (level === "error" && typeof msg === "string") return msg;
  }
  return undefined;
}

/** crun's words for the failures that clients know in runc's. */
function translateWords(words: string, args: readonly string[]): string {
  const program = JSON.stringify(args[0] ?? "");
  const text = words.trim().replace(/^(?:runc|crun) (?:run|exec|create) failed: /, "");
  if (args[0] === "") return `exec: "": executable file not found in $PATH`;
  if (/^executable file `.*` not found/s.test(text)) {
    const reason =
      args[0]?.includes("/") === true
        ? `stat ${args[0]}: no such file or directory`
        : "executable file not found in $PATH";
    return `exec: ${program}: ${reason}`;
  }
  if (/^open executable: Permission denied/i.test(text)) return `exec: ${program}: permission denied`;
  // crun's answer for what is no plain file.
  if (/^open executable: Operation not permitted/i.test(text)) return `exec: ${program}: is a directory`;
  const folder = (
    /^chdir `(.*)`: Not a directory$/is.exec(text) ?? /container init: mkdir (.*): not a directory/.exec(text)
  )?.[1];
  if (folder !== undefined) return `Cannot mkdir: ${folder} is not a directory`;
  // C's error texts begin with a capital, Go's do not; clients look for Go's.
  return text.replace(
    /: ([A-Z])([a-z]+ [a-z ]+)$/,
    (_whole, first: string, rest: string) => `: ${first.toLowerCase()}${rest}`,
  );
}

function judged(message: string, cause: unknown): RunFailure {
  const missing = /failed: exec (\/\S+): no such file or directory: unknown$/.exec(message)?.[1];
  if (missing !== undefined) {
    const remedy = `The OCI runtime's program ${missing} is gone: install it again, or choose another by --runtime.`;
    return { fault: new Fault("unavailable", message, { cause, remedy }), exitCode: 127 };
  }
  const says = (...texts: readonly string[]): boolean => texts.some((text) => message.includes(text));
  if (says("executable file not found", "no such file or directory")) {
    return { fault: new Fault("invalid", message, { cause }), exitCode: 127 };
  }
  if (says("permission denied", "is a directory")) {
    return { fault: new Fault("invalid", message, { cause }), exitCode: 126 };
  }
  if (says("file name too long")) return { fault: new Fault("invalid", message, { cause }), exitCode: 126 };
  if (/mount `tmpfs` to .*: invalid argument/.test(message)) {
    const remedy = "Check the options of the tmpfs: sizes, ids and modes.";
    return { fault: new Fault("invalid", message, { cause, remedy }), exitCode: 128 };
  }
  // The kernel does not take a value that was asked for.
  if (/(?:writing file|write to) .*: (?:invalid argument|numerical result out of range)/.test(message)) {
    const remedy = says("cpu.rt_runtime_us")
      ? "The group above has no real-time time to give: write some to its cpu.rt_runtime_us, or leave the flag out."
      : "Check the limits, devices and sysctls that were asked for.";
    return { fault: new Fault("invalid", message, { cause, remedy }), exitCode: 128 };
  }
  if (says("Cannot mkdir: ")) return { fault: new Fault("invalid", message, { cause }), exitCode: 126 };
  if (says("not a directory")) {
    const remedy =
      ": Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type";
    return { fault: new Fault("invalid", `${message}${remedy}`, { cause }), exitCode: 126 };
  }
  return { fault: new Fault("internal", message, { cause }), exitCode: 128 };
}

/** A full disk has its own kind and remedy. */
function unexpectedFault(error: unknown): Fault {
  const isFull = error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
  return isFull
    ? new Fault("exhausted", "no space left on device", {
        cause: error,
        remedy: "Free space in the data and exec roots.",
      })
    : new Fault("internal", messageOf(error), { cause: error });
}

function parseLine(line: string): { level?: unknown; msg?: unknown } {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
