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
  const { code, output } = await runHelper(name, "get", server);
  if (code === 0) return JSON.parse(output) as HelperAnswer;
  if (output.includes(notFoundWords)) return undefined;
  throw helperFault("get", name, output);
}

/** Has `docker-credential-NAME store` keep credentials. Faults: `unavailable` when it is missing or fails. */
export async function storeInHelper(
  name: string,
  credentials: HelperAnswer & { readonly ServerURL: string },
): Promise<void> {
  const { code, output } = await runHelper(name, "store", JSON.stringify(credentials));
  if (code !== 0) throw helperFault("store", name, output);
}

/** Has `docker-credential-NAME erase` forget a registry; quiet when it knows none. Faults: `unavailable` when it is missing or fails. */
export async function eraseFromHelper(name: string, server: string): Promise<void> {
  const { code, output } = await runHelper(name, "erase", server);
  if (code !== 0 && !output.includes(notFoundWords)) throw helperFault("erase", name, output);
}

const notFoundWords = "credentials not found";

/** As Docker's messages have them. */
const verbs = { get: "getting", store: "storing", erase: "erasing" } as const;

function helperFault(action: keyof typeof verbs, name: string, output: string): Fault {
  const said = output.trim().slice(0, 500);
  return new Fault("unavailable", `error ${verbs[action]} credentials - docker-credential-${name} failed: ${said}`);
}

async function runHelper(
  name: string,
  action: keyof typeof verbs,
  input: string,
): Promise<{ readonly code: number | null; readonly output: string }> {
  if (!/^[\w.-]+$/.test(name)) throw new Fault("invalid", `not a credential helper: ${name}`);
  const program = `docker-credential-${name}`;
  const child = spawn(program, [action], { stdio: ["pipe", "pipe", "inherit"], timeout: timeLimitMs });
  let output = "";
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", (cause) => {
      const remedy = `Install ${program}, or take it out of credsStore and credHelpers in config.json.`;
      reject(new Fault("unavailable", `error ${verbs[action]} credentials - ${cause.message}`, { cause, remedy }));
    });
    child.once("close", resolve);
  });
  child.stdin.on("error", () => undefined); // it may not read
  child.stdin.end(input);
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (output.length < answerLimitBytes) output += text;
  });
  return { code: await ended, output };
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
