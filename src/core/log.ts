/** How much the daemon's log says. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "fatal";

/** The daemon's own log: one line an entry, for a person. Never given a secret. */
export interface Log {
  debug(message: string, facts?: LogFacts): void;
  info(message: string, facts?: LogFacts): void;
  warn(message: string, facts?: LogFacts): void;
  error(message: string, facts?: LogFacts): void;
}

export type LogFacts = Readonly<Record<string, string | number | boolean | undefined>>;

/** All levels, quietest last (`--log-level`). */
export const logLevels: readonly LogLevel[] = ["debug", "info", "warn", "error", "fatal"];

/** A log in logfmt as dockerd writes it: `time="…" level=info msg="…" key=value`. */
export function openLog(level: LogLevel, write: (line: string) => void, now: () => Date = () => new Date()): Log {
  const entry =
    (own: LogLevel) =>
    (message: string, facts: LogFacts = {}) => {
      if (logLevels.indexOf(own) < logLevels.indexOf(level)) return;
      const pairs = Object.entries(facts).filter(([, value]) => value !== undefined);
      const rest = pairs.map(([key, value]) => ` ${key}=${quoted(String(value))}`).join("");
      write(`time="${now().toISOString()}" level=${own} msg=${JSON.stringify(message)}${rest}\n`);
    };
  return { debug: entry("debug"), info: entry("info"), warn: entry("warn"), error: entry("error") };
}

function quoted(value: string): string {
  return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);
}
