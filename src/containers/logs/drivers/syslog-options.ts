import { accessSync, constants, existsSync, statSync } from "node:fs";
import { Fault } from "#core/fault";
import type { StreamAddress } from "./stream-connection.ts";
import { parseBoolean, parseHostPort } from "./option-values.ts";

/** The syslog driver's settings, by Docker's option names. */
export interface SyslogOptions {
  readonly address: SyslogAddress;
  /** 0–23. */
  readonly facility: number;
  readonly format: SyslogFormat;
}

export type SyslogAddress =
  | StreamAddress
  | { readonly kind: "udp"; readonly host: string; readonly port: number }
  | { readonly kind: "unixgram"; readonly path: string };

/** `local`: without the host's name, as programs speak to their own machine's. */
export type SyslogFormat = "local" | "rfc3164" | "rfc5424" | "rfc5424micro";

/** Checks what must be there when the container is made; later it may come and go. Faults: `invalid`. */
export function checkSyslogOptions(options: Readonly<Record<string, string>>): void {
  const { address } = readSyslogOptions(options);
  if (address.kind === "unix" || address.kind === "unixgram") {
    if ((options["syslog-address"] ?? "") === "" || existsSync(address.path)) return;
    throw new Fault("invalid", `stat ${address.path.slice(0, 200)}: no such file or directory`);
  }
  if (address.kind !== "tls") return;
  const files = [
    [address.caPath, "CA certificate"],
    [address.certPath, "X509 key pair"],
    [address.keyPath, "X509 key pair"],
  ] as const;
  for (const [path, what] of files) checkPem(path, what);
}

/** Faults: `invalid` in Docker's words. */
export function readSyslogOptions(options: Readonly<Record<string, string>>): SyslogOptions {
  const format = options["syslog-format"] ?? "";
  if (!["", "rfc3164", "rfc5424", "rfc5424micro"].includes(format)) throw new Fault("invalid", "Invalid syslog format");
  return {
    address: readAddress(options),
    facility: readFacility(options["syslog-facility"] ?? ""),
    format: format === "" ? "local" : (format as SyslogFormat),
  };
}

function readAddress(options: Readonly<Record<string, string>>): SyslogAddress {
  const text = options["syslog-address"] ?? "";
  if (text === "") return { kind: "unixgram", path: localSockets.find((path) => existsSync(path)) ?? "/dev/log" };
  const [, scheme = "", rest = ""] = /^(tcp\+tls|tcp|udp|unixgram|unix):\/\/(.*)$/.exec(text) ?? [];
  if (scheme === "") {
    throw new Fault("invalid", `syslog-address should be in form proto://address, got ${text.slice(0, 200)}`);
  }
  if (scheme === "unix" || scheme === "unixgram") return { kind: scheme, path: rest };
  const place = parseHostPort(rest, defaultPort);
  if (scheme !== "tcp+tls") return { kind: scheme as "tcp" | "udp", ...place };
  return { kind: "tls", ...place, ...readTls(options) };
}

const localSockets = ["/dev/log", "/var/run/syslog", "/var/run/log"];
const defaultPort = 514;

function readTls(options: Readonly<Record<string, string>>) {
  const { "syslog-tls-ca-cert": ca = "", "syslog-tls-cert": cert = "", "syslog-tls-key": key = "" } = options;
  const skip = options["syslog-tls-skip-verify"];
  return {
    // As in Docker, the option is on by being there; `false` is taken at its word here.
    verify: skip === undefined || (skip !== "" && !parseBoolean("syslog-tls-skip-verify", skip)),
    ...(ca !== "" && { caPath: ca }),
    ...(cert !== "" && { certPath: cert }),
    ...(key !== "" && { keyPath: key }),
  };
}

function checkPem(path: string | undefined, what: string): void {
  if (path === undefined) return;
  try {
    if (statSync(path).size > 1_048_576) throw new Error("file too large");
    accessSync(path, constants.R_OK);
  } catch (error) {
    const reason = (error as Error).message;
    throw new Fault("invalid", `could not read ${what} ${JSON.stringify(path.slice(0, 200))}: ${reason}`, {
      cause: error,
    });
  }
}

const facilities: readonly string[] = "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp".split(" ");

function readFacility(text: string): number {
  if (text === "") return 3; // daemon
  const local = /^local([0-7])$/.exec(text)?.[1];
  if (local !== undefined) return 16 + Number(local);
  const number = /^\d{1,2}$/.test(text) ? Number(text) : facilities.indexOf(text);
  if (number < 0 || number > 23) throw new Fault("invalid", "invalid syslog facility");
  return number;
}
