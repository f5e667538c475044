import { stat } from "node:fs/promises";
import { Agent, type IncomingMessage, request } from "node:http";

/** Plain HTTP on the daemon's socket, with connections kept: what any client of the Engine API does, and nothing more. */
export class Api {
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 128 });

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** One request to its end; answers its JSON, of the shape that the caller knows. Throws when the status is not one of success. */
  async ask<Answer = unknown>(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await this.open(method, path, body);
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    if ((answer.statusCode ?? 500) >= 400) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
    const json = answer.headers["content-type"]?.startsWith("application/json") === true && text !== "";
    return (json ? JSON.parse(text) : text) as Answer;
  }

  /** One request up to the head of its answer. */
  async open(method: string, path: string, body?: unknown): Promise<IncomingMessage> {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const headers =
      sent === undefined ? {} : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(sent) };
    return await new Promise((resolve, reject) => {
      const asking = request({
        socketPath: this.#socketPath,
        agent: this.#agent,
        method,
        path: `/v1.51${path}`,
        headers,
      });
      asking.on("response", resolve).on("error", reject);
      asking.end(sent);
    });
  }

  async create(command: readonly string[], network = "default"): Promise<string> {
    const request = { Image: "busybox:latest", Cmd: command, HostConfig: { NetworkMode: network } };
    const { Id } = await this.ask<{ Id: string }>("POST", "/containers/create", request);
    return Id;
  }

  /** Create, start, wait, remove of one container; the whole of `docker run --rm` but for the terminal. Answers the exit code. */
  async runOnce(command: readonly string[], network?: string): Promise<number> {
    const id = await this.create(command, network);
    await this.ask("POST", `/containers/${id}/start`);
    const { StatusCode } = await this.ask<{ StatusCode: number }>("POST", `/containers/${id}/wait`);
    await this.ask("DELETE", `/containers/${id}`);
    return StatusCode;
  }

  /** Builds from a folder that the daemon sees too, as `slipway build` does; throws when it fails. Answers what each step was: `done` or `cached`. */
  async build(folder: string, query: Readonly<Record<string, string>> = {}): Promise<string[]> {
    const { dev, ino } = await stat(folder);
    const asked = new URLSearchParams({ context: folder, contextid: `${dev}:${ino}`, version: "1", ...query });
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const asking = request({
        socketPath: this.#socketPath,
        agent: this.#agent,
        method: "POST",
        path: `/v1.51/build?${asked.toString()}`,
        headers: { Accept: "application/vnd.slipway.build.v1+jsonl" },
      });
      asking.on("response", resolve).on("error", reject);
      asking.end();
    });
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    const lines = Buffer.concat(chunks)
      .toString()
      .split("\n")
      .filter((line) => line.trim() !== "");
    const messages = lines.map((line) => JSON.parse(line) as { Kind?: string; Outcome?: string });
    if (messages.at(-1)?.Kind !== "result") throw new Error(`build: ${answer.statusCode} ${lines.at(-1)}`);
    return messages.flatMap(({ Kind, Outcome }) => (Kind === "ended" && Outcome !== undefined ? [Outcome] : []));
  }

  /** The pid of a running container's first process, as the host sees it. */
  async pidOf(id: string): Promise<number> {
    return (await this.ask<{ State: { Pid: number } }>("GET", `/containers/${id}/json`)).State.Pid;
  }

  close(): void {
    this.#agent.destroy();
  }
}
