import { request } from "node:http";
import { Fault } from "#core/fault";

/** Answers of plugins; every one may say why it failed. */
interface PluginAnswer {
  readonly Err?: unknown;
}

/** Calls a plugin (Docker's plugin protocol, version 1). Faults: `unavailable` when it does not answer, `internal` with its own words. */
export async function callPlugin(
  plugin: { readonly name: string; readonly socket: string },
  method: string,
  body: object,
  timeoutMs: number,
): Promise<Readonly<Record<string, unknown>>> {
  const { status, text } = await post(plugin, method, JSON.stringify(body), timeoutMs);
  const answer = parse(text);
  const words = typeof answer?.Err === "string" ? answer.Err : "";
  if (words !== "") throw new Fault("internal", `${method}: ${words.slice(0, 1000)}`);
  if (status !== 200 || answer === undefined) {
    throw new Fault(
      "internal",
      `the volume plugin ${plugin.name} answered ${method} with ${status}: ${text.slice(0, 200)}`,
    );
  }
  return answer as Readonly<Record<string, unknown>>;
}

const maxAnswerBytes = 16 * 1024 * 1024;
const contentType = "application/vnd.docker.plugins.v1.1+json";

async function post(
  { name, socket }: { readonly name: string; readonly socket: string },
  method: string,
  body: string,
  timeoutMs: number,
): Promise<{ readonly status: number; readonly text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const silent = (error: Error): void =>
    reject(
      new Fault("unavailable", `the volume plugin ${name} does not answer ${method}: ${error.message}`, {
        cause: error,
        remedy: `Is the plugin running? Its socket is ${socket}.`,
      }),
    );
  const headers = { Accept: contentType, "Content-Type": contentType, "Content-Length": Buffer.byteLength(body) };
  const asking = request({
    socketPath: socket,
    path: `/${method}`,
    method: "POST",
    headers,
    agent: false,
    signal: AbortSignal.timeout(timeoutMs),
  });
  asking.on("error", silent);
  asking.on("response", (answer) => {
    const pieces: Buffer[] = [];
    let length = 0;
    answer.on("data", (piece: Buffer) => {
      length += piece.length;
      if (length > maxAnswerBytes) answer.destroy(new Error("the answer is too large"));
      else pieces.push(piece);
    });
    answer.on("error", silent);
    answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(pieces).toString() }));
  });
  asking.end(body);
  return await promise;
}

/** An empty answer is one without news. */
function parse(text: string): (PluginAnswer & object) | undefined {
  if (text.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
