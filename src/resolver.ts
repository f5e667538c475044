/** The composition root of the resolver's process, which the daemon starts and which lives on without it (ADR 0025). */
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { openLog } from "#core/log";
import { lockFile } from "#file-lock";
import { openBoundedFile, serveNames } from "#names-server";

/** What `slipway resolver` was asked for. */
export interface ResolverOptions {
  /** Absolute; made if it is missing. One resolver for each. */
  readonly folder: string;
  /** It ends after so long without daemon and monitor. */
  readonly idleMs: number;
  /** The file that names the host's own resolvers. */
  readonly resolvConf: string;
}

const maxLogBytes = 256 * 1024;

/** Answers containers' names until SIGTERM, or until nobody has asked for a while. With another resolver on the folder it ends at once and changes nothing. */
export async function runResolver(options: ResolverOptions): Promise<void> {
  process.umask(0o077);
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  chmodSync(options.folder, 0o700);
  using lock = lockFile(join(options.folder, "resolver.lock"));
  if (lock === undefined) return;
  const log = openLog("info", openBoundedFile(join(options.folder, "resolver.log"), maxLogBytes));
  // Nobody sees a stream of this process: what goes wrong is said in the log.
  process.removeAllListeners("warning").on("warning", (warning) => log.warn(warning.message));
  process.on("uncaughtException", (error: unknown) => {
    log.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exit(1);
  });
  log.info("the resolver starts", { pid: process.pid });
  await serveNames({ ...options, log }, stopSignal());
  log.info("the resolver ends", { pid: process.pid });
}

/** Signals of a terminal are not meant for it. */
function stopSignal(): AbortSignal {
  for (const name of ["SIGHUP", "SIGINT"] as const) process.on(name, () => undefined);
  const stop = new AbortController();
  process.on("SIGTERM", () => stop.abort());
  return stop.signal;
}
