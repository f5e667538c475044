import { spawn } from "node:child_process";
import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/**
 * For tests only: runs the function in a process inside that process' network namespace, with the arguments as JSON, and gives what it gives.
 * It sees nothing of its surroundings here but its arguments.
 */
export async function inNetwork<Args extends readonly unknown[], Result>(
  pid: number,
  task: (asking: Asking, ...args: Args) => Promise<Result>,
  ...args: Args
): Promise<Result> {
  const script = `const { asking } = await import(${JSON.stringify(import.meta.url)});
    process.stdout.write(JSON.stringify((await (${task.toString()})(asking, ...${JSON.stringify(args)})) ?? null), () => process.exit());`;
  const argv = [`--net=/proc/${pid}/ns/net`, process.execPath, "--input-type=module", "-e", script];
  const child = spawn("nsenter", argv, { stdio: ["ignore", "pipe", "inherit"], timeout: 60_000 });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`the process in the network namespace ended with ${code}`);
  return JSON.parse(text) as Result;
}

const [server, port] = ["127.0.0.11", 53];

/** How a process inside asks. Every question gives the answer, both as latin1 text, or undefined after so many milliseconds. */
export interface Asking {
  /** One socket that asks all, at most `window` at a time. */
  udp(questions: readonly string[], limitMs?: number, window?: number): Promise<(string | undefined)[]>;
  /** One connection that asks one after the other; undefined also when it is closed. */
  tcp(questions: readonly string[], limitMs?: number): Promise<(string | undefined)[]>;
  connect(): Promise<Socket>;
  askByTcp(socket: Socket, question: string, limitMs?: number): Promise<string | undefined>;
}

export const asking: Asking = {
  async udp(questions, limitMs = 2000, window = 1) {
    const socket = createSocket("udp4");
    try {
      return await inTurns(questions, window, async (question) => await askByUdp(socket, question, limitMs));
    } finally {
      socket.close();
    }
  },
  async tcp(questions, limitMs = 2000) {
    const socket = await asking.connect();
    try {
      return await inTurns(questions, 1, async (question) => await askByTcp(socket, question, limitMs));
    } finally {
      socket.destroy();
    }
  },
  async connect() {
    const socket = connect(port, server);
    socket.on("error", () => undefined);
    await once(socket, "connect");
    return socket;
  },
  askByTcp,
};

async function inTurns(
  questions: readonly string[],
  window: number,
  ask: (question: string) => Promise<string | undefined>,
): Promise<(string | undefined)[]> {
  const answers: (string | undefined)[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < questions.length; i = next++) answers[i] = await ask(questions[i] ?? "");
  };
  await Promise.all(Array.from({ length: window }, worker));
  return answers;
}

/** An answer is known by all but its first byte; one that comes from elsewhere than it was asked is none. */
async function askByUdp(socket: DatagramSocket, question: string, limitMs: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const listen = (bytes: Buffer, from: { readonly address: string; readonly port: number }): void => {
    const text = bytes.toString("latin1");
    if (from.address === server && from.port === port && text.slice(1) === question.slice(1)) resolve(text);
  };
  socket.on("message", listen);
  socket.send(Buffer.from(question, "latin1"), port, server);
  const timer = setTimeout(() => resolve(undefined), limitMs);
  const answer = await promise;
  clearTimeout(timer);
  socket.off("message", listen);
  return answer;
}

async function askByTcp(socket: Socket, question: string, limitMs = 2000): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  let bytes = Buffer.alloc(0);
  const listen = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) resolve(bytes.toString("latin1", 2));
  };
  const end = (): void => resolve(undefined);
  const timer = setTimeout(end, limitMs);
  socket.on("data", listen).on("close", end);
  const head = Buffer.alloc(2);
  head.writeUInt16BE(question.length, 0);
  socket.write(Buffer.concat([head, Buffer.from(question, "latin1")]));
  const answer = await promise;
  clearTimeout(timer);
  socket.off("data", listen).off("close", end);
  return answer;
}
