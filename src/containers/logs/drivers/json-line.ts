import { rfc3339Nano } from "#core/clock";
import type { TargetLine } from "./log-driver.ts";

/** The attributes of a container as they stand in each of its lines: "" when there are none. */
export function jsonAttributes(attributes: Readonly<Record<string, string>>): string {
  const names = Object.keys(attributes).toSorted();
  if (names.length === 0) return "";
  const pairs = names.map((name) => `${goString(name)}:${goString(attributes[name] ?? "")}`);
  return `"attrs":{${pairs.join(",")}},`;
}

/** A line of Docker's json-file: `{"log":…,"stream":…,"time":…}` and a newline. */
export function jsonLine(line: TargetLine, attributes: string): string {
  const isWhole = line.part?.last !== false && line.unfinished !== true;
  const text = Buffer.from(line.bytes.buffer, line.bytes.byteOffset, line.bytes.length).toString("utf8");
  const log = goString(isWhole ? `${text}\n` : text);
  return `{"log":${log},"stream":"${line.stream}",${attributes}"time":"${rfc3339Nano(line.timeNs)}"}\n`;
}

/** As Go's encoder writes it: nothing in it could end a script in a page. */
function goString(text: string): string {
  return JSON.stringify(text).replace(/\\[tbf]|[<>&\u2028\u2029\u007f]/g, (found) => escapes.get(found) ?? found);
}

const escapes: ReadonlyMap<string, string> = new Map([
  ["\\t", "\\u0009"],
  ["\\b", "\\u0008"],
  ["\\f", "\\u000c"],
  ["<", "\\u003c"],
  [">", "\\u003e"],
  ["&", "\\u0026"],
  ["\u2028", "\\u2028"],
  ["\u2029", "\\u2029"],
]);
