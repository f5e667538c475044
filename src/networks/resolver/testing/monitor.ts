import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Transport } from "../packets.ts";

/** A monitor's end of `queries.sock`, as the C program behaves. */
export interface TestMonitor extends Disposable {
  readonly socket: Socket;
  /** Sends a message; resolves with its answer's message and the transport that came back. */
  ask(message: Buffer, transport?: Transport): Promise<{ readonly message: Buffer; readonly transport: number }>;
  /** Sends messages without waiting; answers are counted. */
  flood(message: Buffer, count: number): void;
  /** Answers that came to no `ask`. */
  readonly flooded: number;
}

/** Connects for that container. */
export async function connectMonitor(path: string, containerId: string): Promise<TestMonitor> {
  const socket = connect(path);
  await once(socket, "connect");
  socket.write(Buffer.concat([Buffer.from("SLN1"), Buffer.from([containerId.length]), Buffer.from(containerId)]));
  const waiting = new Map<number, PromiseWithResolvers<{ message: Buffer; transport: number }>>();
  const state = { token: 0, flooded: 0, bytes: Buffer.alloc(0) as Buffer };
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    for (const { reject } of waiting.values()) reject(new Error("the resolver closed the connection"));
  });
  socket.on("data", (chunk: Buffer) => {
    state.bytes = Buffer.concat([state.bytes, chunk]);
    for (let end = endOf(state.bytes); end !== undefined; end = endOf(state.bytes)) {
      const answered = waiting.get(state.bytes.readUInt32BE(4));
      waiting.delete(state.bytes.readUInt32BE(4));
      if (answered === undefined) state.flooded++;
      answered?.resolve({ message: Buffer.from(state.bytes.subarray(8, end)), transport: state.bytes.readUInt8(2) });
      state.bytes = state.bytes.subarray(end);
    }
  });
  return {
    socket,
    async ask(message, transport = "udp") {
      const answered = Promise.withResolvers<{ message: Buffer; transport: number }>();
      waiting.set(++state.token, answered);
      socket.write(record(message, transport, state.token));
      return await answered.promise;
    },
    flood(message, count) {
      const one = record(message, "udp", 0xffffffff);
      socket.write(Buffer.concat(Array.from({ length: count }, () => one)));
    },
    get flooded() {
      return state.flooded;
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

function endOf(bytes: Buffer): number | undefined {
  const end = bytes.length < 8 ? Infinity : 8 + bytes.readUInt16BE(0);
  return bytes.length < end ? undefined : end;
}

function record(message: Buffer, transport: Transport, token: number): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(message.length, 0);
  head.writeUInt8(transport === "tcp" ? 1 : 0, 2);
  head.writeUInt32BE(token, 4);
  return Buffer.concat([head, message]);
}
