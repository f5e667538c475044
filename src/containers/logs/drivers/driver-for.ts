import type { Shim } from "#host";
import type { ContainerRecord } from "../../store.ts";
import { logAttributes, logTag } from "../attributes.ts";
import { logBudget } from "../log-options.ts";
import { fluentdDriver } from "./fluentd.ts";
import { readFluentdOptions } from "./fluentd-options.ts";
import { jsonFileDriver } from "./json-file.ts";
import type { LogDriver } from "./log-driver.ts";
import { parseBoolean } from "./option-values.ts";
import { syslogDriver } from "./syslog.ts";
import { readSyslogOptions } from "./syslog-options.ts";

/** Where a container's lines go beside its own log; undefined: nowhere. Faults: `invalid` when a file that the options name is gone. */
export function driverFor(
  record: ContainerRecord,
  tools: { readonly shim: Pick<Shim, "run">; readonly shimPath: string; readonly hostname: string },
): LogDriver | undefined {
  const { driver, options, byDefault } = record.spec.logging;
  switch (driver) {
    case "json-file":
      if (byDefault === true || !record.logPath.endsWith(".log")) return undefined;
      return jsonFileDriver({
        path: record.logPath,
        budget: logBudget(record.spec.logging),
        compress: parseBoolean("compress", options["compress"] ?? "false"),
        attributes: logAttributes(record),
      });
    case "syslog": {
      const read = readSyslogOptions(options);
      // A label may hold what would end the message, and begin another.
      const tag = logTag(record, options["tag"] ?? defaultTag).replaceAll(/\p{Cc}/gu, "_");
      const { facility, format } = read;
      return syslogDriver(read, { facility, format, hostname: tools.hostname, tag, pid: process.pid }, tools);
    }
    case "fluentd":
      return fluentdDriver(readFluentdOptions(options), {
        tag: logTag(record, options["tag"] ?? defaultTag),
        containerId: record.id,
        containerName: `/${record.name}`,
        attributes: logAttributes(record),
      });
    default:
      return undefined; // the log itself is all there is
  }
}

const defaultTag = "{{.ID}}";
