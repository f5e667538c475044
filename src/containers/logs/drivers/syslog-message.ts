import { rfc3339, rfc3339Micro, syslogStamp } from "./line-time.ts";
import type { TargetLine } from "./log-driver.ts";
import type { SyslogFormat, SyslogOptions } from "./syslog-options.ts";

/** What stands in every message of one container. */
export interface SyslogSender {
  readonly facility: number;
  readonly format: SyslogFormat;
  readonly hostname: string;
  readonly tag: string;
  /** The daemon's. */
  readonly pid: number;
}

const severities = { stdout: 6, stderr: 3 } as const; // info, error

/** One message, without framing. The time is the line's own, also of one that comes late. */
export function syslogMessage(sender: SyslogSender, line: TargetLine): Buffer {
  return Buffer.concat([Buffer.from(headOf(sender, line)), line.bytes]);
}

function headOf({ facility, format, hostname, tag, pid }: SyslogSender, { stream, timeNs }: TargetLine): string {
  const priority = `<${facility * 8 + severities[stream]}>`;
  if (format === "local") return `${priority}${syslogStamp(timeNs)} ${tag}[${pid}]: `;
  if (format === "rfc3164") return `${priority}${syslogStamp(timeNs)} ${hostname} ${tag}[${pid}]: `;
  const time = format === "rfc5424" ? rfc3339(timeNs) : rfc3339Micro(timeNs);
  return `${priority}1 ${time} ${hostname} ${tag} ${pid} ${tag} - `;
}

/** The message as it goes on the wire: with its length in front in RFC 5424 over TLS (RFC 5425), else with a newline behind; datagrams need neither, and Docker sends the newline all the same. */
export function frameMessage(message: Buffer, { address, format }: Pick<SyslogOptions, "address" | "format">): Buffer {
  const counted = address.kind === "tls" && format.startsWith("rfc5424");
  if (counted) return Buffer.concat([Buffer.from(`${message.length + 1} `), message, newline]);
  return Buffer.concat([message, newline]);
}

const newline = Buffer.from("\n");
