import { Fault } from "#core/fault";
import { parseSize } from "#core/size";
import type { ContainerSpec, LogDriver } from "../containers.ts";
import { checkTag } from "./attributes.ts";
import { readFluentdOptions } from "./drivers/fluentd-options.ts";
import { parseBoolean } from "./drivers/option-values.ts";
import { checkSyslogOptions } from "./drivers/syslog-options.ts";

type Options = ContainerSpec["logging"]["options"];

const attributeNames = ["labels", "labels-regex", "env", "env-regex", "tag"];
const cacheNames = ["cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"];

/** The options of each driver; `mode` and `max-buffer-size` are known to all. */
const known: Readonly<Record<Exclude<LogDriver, "none">, readonly string[]>> = {
  local: ["max-size", "max-file", "compress"],
  "json-file": ["max-size", "max-file", "compress", ...attributeNames],
  syslog: [
    ...attributeNames,
    ...cacheNames,
    "syslog-address",
    "syslog-facility",
    "syslog-format",
    "syslog-tls-ca-cert",
    "syslog-tls-cert",
    "syslog-tls-key",
    "syslog-tls-skip-verify",
  ],
  fluentd: [
    ...attributeNames,
    ...cacheNames,
    "fluentd-address",
    "fluentd-async",
    "fluentd-async-connect",
    "fluentd-async-reconnect-interval",
    "fluentd-buffer-limit",
    "fluentd-max-retries",
    "fluentd-request-ack",
    "fluentd-retry-wait",
    "fluentd-sub-second-precision",
    "fluentd-write-timeout",
  ],
};

/** Checks the options of a log driver as Docker does, all of them when the container is made. Faults: `invalid`. */
export function checkLogging({ driver, options }: ContainerSpec["logging"]): void {
  if (driver === "none") {
    const [name] = Object.keys(options);
    if (name !== undefined) throw new Fault("invalid", `unknown log opt '${name.slice(0, 100)}' for none log driver`);
    return;
  }
  checkMode(options);
  const unknown = Object.keys(options).find((name) => !known[driver].includes(name) && !everywhere.has(name));
  if (unknown !== undefined) {
    throw new Fault("invalid", `unknown log opt '${unknown.slice(0, 100)}' for ${driver} log driver`);
  }
  for (const prefix of ["", "cache-"]) checkFiles(driver, options, prefix);
  for (const name of ["labels-regex", "env-regex"]) checkPattern(options[name]);
  if (options["tag"] !== undefined) checkTag(options["tag"]);
  if (options["cache-disabled"] !== undefined) parseBoolean("cache-disabled", options["cache-disabled"]);
  if (driver === "syslog") checkSyslogOptions(options);
  if (driver === "fluentd") readFluentdOptions(options);
}

const everywhere = new Set(["mode", "max-buffer-size"]);

function checkMode(options: Options): void {
  const { mode = "", "max-buffer-size": buffer } = options;
  if (!["", "blocking", "non-blocking"].includes(mode)) {
    throw new Fault("invalid", `logger: logging mode not supported: ${mode.slice(0, 100)}`);
  }
  if (buffer === undefined) return;
  if (mode !== "non-blocking") {
    throw new Fault("invalid", "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  }
  if (parseSize(buffer) === undefined) {
    throw new Fault("invalid", `error parsing option max-buffer-size: invalid size: '${buffer.slice(0, 100)}'`);
  }
}

function checkFiles(driver: LogDriver, options: Options, prefix: string): void {
  const size = options[`${prefix}max-size`];
  const files = options[`${prefix}max-file`];
  const compress = options[`${prefix}compress`];
  const wrong = (name: string, value: string): Fault =>
    new Fault("invalid", `invalid value for log opt '${prefix}${name}': ${JSON.stringify(value.slice(0, 100))}`);
  if (size !== undefined && size !== "-1" && !((parseSize(size) ?? 0) > 0)) throw wrong("max-size", size);
  if (files !== undefined && !/^[1-9][0-9]{0,3}$/.test(files)) throw wrong("max-file", files);
  if (compress === undefined || !parseBoolean(`${prefix}compress`, compress)) return;
  if (driver === "json-file" && (files === "1" || size === "-1")) {
    throw new Fault("invalid", "compress cannot be true when max-file is less than 2 or max-size is not set");
  }
  if (files === "1") throw new Fault("invalid", "compression cannot be enabled when max file count is 1");
}

function checkPattern(pattern: string | undefined): void {
  try {
    RegExp(pattern ?? "");
  } catch (error) {
    throw new Fault("invalid", `error parsing regexp: ${(error as Error).message}`, { cause: error });
  }
}
