import { Fault } from "#core/fault";
import { parseGoBoolean } from "#core/go-boolean";

/** Go's words for true and false. Fault `invalid`. */
export function parseBoolean(name: string, text: string): boolean {
  const value = parseGoBoolean(text);
  if (value !== undefined) return value;
  throw new Fault("invalid", `invalid value for option ${name}: ${text.slice(0, 100)}`);
}

const unitMs: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

/** Milliseconds of a Go duration (`1.5s`, `1m30s`). Fault `invalid`. */
export function parseDurationMs(name: string, text: string): number {
  if (text === "0") return 0;
  if (text.length > 60 || !/^(?:\d+(?:\.\d*)?(?:h|ms|us|µs|ns|m|s))+$/.test(text)) {
    throw new Fault(
      "invalid",
      `invalid value for option ${name}: time: invalid duration ${JSON.stringify(text.slice(0, 100))}`,
    );
  }
  let total = 0;
  for (const [, amount, unit = ""] of text.matchAll(/(\d+(?:\.\d*)?)(h|ms|us|µs|ns|m|s)/g)) {
    total += Number(amount) * (unitMs[unit] ?? 0);
  }
  return total;
}

/** Host and port of `host`, `host:port`, `[::1]:port`. Fault `invalid`. */
export function parseHostPort(text: string, defaultPort: number): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:/?#[\]]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const number = port === undefined ? defaultPort : Number(port);
  if (host === undefined || number > 65_535) {
    throw new Fault("invalid", `invalid address ${JSON.stringify(text.slice(0, 200))}: host:port is needed`);
  }
  return { host: host === "" ? "127.0.0.1" : host, port: number };
}
