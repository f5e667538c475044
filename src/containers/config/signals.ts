import { Fault } from "#core/fault";

/** The number of a signal given as Docker takes it: `KILL`, `SIGKILL`, `9`, `RTMIN+3`. Fault `invalid` otherwise. */
export function parseSignal(text: string): number {
  const name = text.trim().toUpperCase().replace(/^SIG/, "");
  if (/^[0-9]{1,3}$/.test(name)) {
    const number = Number(name);
    if (number >= 1 && number <= lastSignal) return number;
    throw invalidSignal(text);
  }
  const number = numbers.get(name) ?? realTime(name);
  if (number === undefined) throw invalidSignal(text);
  return number;
}

/** SIGKILL, which no process can refuse. */
export const killSignal = 9;

const lastSignal = 64;
const firstRealTime = 34;

/** signal(7), the numbers that x86, arm and RISC-V share. */
const numbers: ReadonlyMap<string, number> = new Map([
  ...(
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG " +
    "XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
  )
    .split(" ")
    .map((name, index): [string, number] => [name, index + 1]),
  ["IOT", 6],
  ["CLD", 17],
  ["POLL", 29],
]);

function realTime(name: string): number | undefined {
  const [, base, sign, digits] = /^RT(MIN|MAX)(?:([+-])([0-9]{1,2}))?$/.exec(name) ?? [];
  if (base === undefined) return undefined;
  const offset = Number(digits ?? 0);
  if (base === "MIN" && sign !== "-" && firstRealTime + offset <= lastSignal) return firstRealTime + offset;
  if (base === "MAX" && sign !== "+" && lastSignal - offset >= firstRealTime) return lastSignal - offset;
  return undefined;
}

function invalidSignal(text: string): Fault {
  return new Fault("invalid", `Invalid signal: ${text.slice(0, 100)}`);
}
