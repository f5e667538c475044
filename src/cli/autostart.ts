import { mkdir, open, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { Fault } from "#core/fault";
import { isAlive } from "#core/is-alive";
import { spawnDaemon } from "./programs.ts";

const answerLimitMs = 30_000;

/**
 * Starts a daemon on the default socket if none answers there, and waits until it does. Says so on stderr. Without
 * root it leaves things as they are: the call that follows explains. Two at once start one.
 */
export async function ensureDaemon(
  host: string,
  argv: readonly string[] = [process.argv[1] ?? "", "daemon"],
): Promise<void> {
  const socketPath = host.replace(/^unix:\/\//, "");
  if ((await probe(socketPath)) !== "silent" || process.geteuid?.() !== 0) return;
  const folder = dirname(socketPath);
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const lockPath = `${folder}/autostart.lock`;
  if (!(await takeLock(lockPath))) return await untilAnswers(socketPath, undefined, "");
  try {
    // Between the first look and the lock another may have started it.
    if ((await probe(socketPath)) !== "silent") return;
    const logPath = `${folder}/daemon.log`;
    process.stderr.write(`slipway: no daemon answers: starting one (log: ${logPath})\n`);
    const daemon = spawnDaemon(argv, logPath);
    await untilAnswers(socketPath, daemon.exited, logPath);
  } finally {
    await rm(lockPath, { force: true });
  }
}

async function untilAnswers(
  socketPath: string,
  exited: Promise<number | null> | undefined,
  logPath: string,
): Promise<void> {
  const end = { seen: false };
  void exited?.then(() => (end.seen = true));
  const deadline = Date.now() + answerLimitMs;
  while (Date.now() < deadline && !end.seen) {
    if ((await probe(socketPath)) === "answers") return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const log = logPath === "" ? "" : await readFile(logPath, "utf8").catch(() => "");
  const last = log.trim().split("\n").slice(-5).join("\n");
  const remedy = "Run `slipway doctor` to check the machine, or `slipway daemon` to see the daemon's words.";
  throw new Fault("unavailable", `the daemon did not start${last === "" ? "" : `:\n${last}`}`, { remedy });
}

/** Whether something accepts connections there; `denied` counts as somebody being there. */
function probe(socketPath: string): Promise<"answers" | "silent" | "denied"> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once("connect", () => {
      socket.destroy();
      resolve("answers");
    });
    socket.once("error", (error: { code?: string }) => resolve(error.code === "EACCES" ? "denied" : "silent"));
  });
}

/** Takes the lock, also over from a process that died with it; false: another one is starting the daemon now. */
async function takeLock(path: string): Promise<boolean> {
  for (let tries = 0; tries < 3; tries++) {
    try {
      const file = await open(path, "wx", 0o600);
      await file.writeFile(String(process.pid));
      await file.close();
      return true;
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") throw error;
    }
    const holder = Number(await readFile(path, "utf8").catch(() => ""));
    // An empty file is a lock that is being written at this moment.
    if (holder === 0 || isAlive(holder)) return false;
    await rm(path, { force: true });
  }
  return false;
}
