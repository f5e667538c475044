// The one file of this room that starts programs: the user's credential helpers, and the daemon.
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { Fault } from "#core/fault";

/** What a credential helper answers to `get`. */
export interface HelperAnswer {
  readonly Username: string;
  readonly Secret: string;
}

const answerLimitBytes = 64 * 1024;
const timeLimitMs = 30_000;

/** Asks `docker-credential-NAME get` for a registry's credentials; undefined when it has none. Faults: `unavailable` when it is missing or fails. */
export async function askCredentialHelper(name: string, server: string): Promise<HelperAnswer | undefined> {
  if (!/^[\w.-]+$/.test(name)) throw new Fault("invalid", `not a credential helper: ${name}`);
  const program = `docker-credential-${name}`;
  const child = spawn(program, ["get"], { stdio: ["pipe", "pipe", "inherit"], timeout: timeLimitMs });
  let output = "";
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", (cause) => {
      const remedy = `Install ${program}, or take it out of credsStore and credHelpers in config.json.`;
      reject(new Fault("unavailable", `error getting credentials - ${cause.message}`, { cause, remedy }));
    });
    child.once("close", resolve);
  });
  child.stdin.on("error", () => undefined); // it may not read
  child.stdin.end(server);
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (output.length < answerLimitBytes) output += text;
  });
  const code = await ended;
  if (code !== 0) {
    if (output.includes("credentials not found")) return undefined;
    throw new Fault("unavailable", `error getting credentials - ${program} failed: ${output.trim().slice(0, 500)}`);
  }
  return JSON.parse(output) as HelperAnswer;
}

/** Starts a daemon that outlives us, its words going to a log file; answers its pid. */
export function spawnDaemon(
  argv: readonly string[],
  logPath: string,
): { readonly pid: number | undefined; readonly exited: Promise<number | null> } {
  const log = openSync(logPath, "a", 0o640);
  try {
    const child = spawn(process.execPath, argv, {
      detached: true,
      stdio: ["ignore", log, log],
      cwd: "/",
    });
    const exited = new Promise<number | null>((resolve) => {
      child.once("exit", resolve);
      child.once("error", () => resolve(null));
    });
    child.unref();
    return { pid: child.pid, exited };
  } finally {
    closeSync(log);
  }
}
