import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import { isAnswerTo, type Transport, withId } from "./packets.ts";
import type { Server } from "./resolv-conf.ts";

/**
 * Asks one server once, from a port and with an id of its own that nobody can guess. Undefined when no answer to that question came
 * in time; answers to others are passed over. The answer has the id of the message that was given.
 */
export async function askServer(
  server: Server,
  transport: Transport,
  message: Buffer,
  timeoutMs: number,
): Promise<Buffer | undefined> {
  const sent = withId(message, randomInt(0x10000));
  const answer = await (transport === "udp" ? askUdp : askTcp)(server, sent, timeoutMs);
  return answer === undefined ? undefined : withId(answer, message.readUInt16BE(0));
}

async function askUdp(server: Server, sent: Buffer, timeoutMs: number): Promise<Buffer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  const socket = createSocket(isIPv6(server.address) ? "udp6" : "udp4");
  const timer = setTimeout(() => resolve(undefined), timeoutMs);
  // A refused port comes as an error too: no need to wait for the limit.
  socket.on("error", () => resolve(undefined));
  socket.on("message", (answer) => {
    if (isAnswerTo(answer, sent)) resolve(answer);
  });
  try {
    // Connected: the kernel drops what comes from elsewhere.
    socket.connect(server.port, server.address, () => socket.send(sent, () => undefined));
    return await promise;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}

async function askTcp(server: Server, sent: Buffer, timeoutMs: number): Promise<Buffer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  const socket = connect({ host: server.address, port: server.port });
  const timer = setTimeout(() => resolve(undefined), timeoutMs);
  let received: Buffer = Buffer.alloc(0);
  socket.on("error", () => resolve(undefined));
  socket.on("close", () => resolve(undefined));
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    const length = received.length < 2 ? Infinity : received.readUInt16BE(0);
    if (received.length < 2 + length) return;
    const answer = received.subarray(2, 2 + length);
    resolve(isAnswerTo(answer, sent) ? answer : undefined);
  });
  const length = Buffer.alloc(2);
  length.writeUInt16BE(sent.length);
  socket.write(Buffer.concat([length, sent]));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
