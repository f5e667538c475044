import { engineVersion, maxApiVersion } from "#api/wire";

/** Headers that every answer carries (Engine API). */
const always: readonly (readonly [string, string])[] = [
  ["Api-Version", maxApiVersion],
  ["Docker-Experimental", "false"],
  ["Ostype", "linux"],
  ["Server", `Docker/${engineVersion} (linux)`],
];

const reasons: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  204: "No Content",
  304: "Not Modified",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  409: "Conflict",
  413: "Request Entity Too Large",
  431: "Request Header Fields Too Large",
  499: "Client Closed Request",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
};

/** The head of an answer as it goes on the wire, with the empty line. */
export function responseHead(status: number, headers: Readonly<Record<string, string>>): string {
  const lines = [`HTTP/1.1 ${status} ${reasons[status] ?? "Status"}`];
  for (const [name, value] of [...always, ...Object.entries(headers)]) lines.push(`${name}: ${headerText(value)}`);
  lines.push(`Date: ${new Date().toUTCString()}`, "", "");
  return lines.join("\r\n");
}

/** The head that begins a raw stream: 101 when the client asked for an upgrade, else 200 without a length. */
export function hijackHead(upgrade: boolean, contentType: string): string {
  const first = upgrade
    ? ["HTTP/1.1 101 UPGRADED", `Content-Type: ${contentType}`, "Connection: Upgrade", "Upgrade: tcp"]
    : ["HTTP/1.1 200 OK", `Content-Type: ${contentType}`];
  const rest = always.map(([name, value]) => `${name}: ${value}`);
  return [...first, ...rest, "", ""].join("\r\n");
}

/** A value can never end its line. */
function headerText(value: string): string {
  return value.replace(/[\r\n\0]+/g, " ");
}
