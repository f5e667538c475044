import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket as TcpSocket } from "node:net";
import dnsPacket from "dns-packet";

/** A DNS server of the test's own on a loopback address, by UDP and TCP. */
export interface Upstream extends AsyncDisposable {
  /** `ADDRESS#PORT`. */
  readonly server: string;
  readonly port: number;
  /** The queries that came, and from which ports. */
  readonly asked: { readonly transport: "udp" | "tcp"; readonly id: number; readonly port: number }[];
}

/** What it does: answers the messages to send, in order; none: stays silent. `close` closes a TCP connection instead. */
export type Behaviour = (query: Buffer, transport: "udp" | "tcp") => readonly Buffer[] | "close";

/** Starts one on that address, on a port that is free for both. */
export async function startUpstream(address: string, behave: Behaviour): Promise<Upstream> {
  const asked: Upstream["asked"] = [];
  const udp = createSocket("udp4");
  const tcp = createServer((socket) => serveTcp(socket, behave, asked));
  const connections = new Set<TcpSocket>();
  tcp.on("connection", (socket) => connections.add(socket));
  udp.on("message", (query, from) => serveUdp(udp, query, from, behave, asked));
  const port = await bindBoth(udp, tcp, address);
  return {
    server: `${address}#${port}`,
    port,
    asked,
    async [Symbol.asyncDispose]() {
      udp.close();
      tcp.close();
      for (const socket of connections) socket.destroy();
      await once(tcp, "close");
    },
  };
}

/** An answer with that address to the query's question. */
export function addressAnswer(query: Buffer, address: string, flags = 0): Buffer {
  const { id, questions = [] } = dnsPacket.decode(query);
  const [question] = questions;
  if (question === undefined) throw new Error("a query without a question");
  const { name } = question;
  return dnsPacket.encode({
    type: "response",
    id: id ?? 0,
    flags: dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE | flags,
    questions: [question],
    answers: [{ type: "A", name, ttl: 5, data: address }],
  });
}

/** An answer without records and with that response code. */
export function failureAnswer(query: Buffer, code: number): Buffer {
  const answer = Buffer.from(query);
  answer.writeUInt16BE(0x8180 | code, 2);
  return answer;
}

async function bindBoth(udp: Socket, tcp: Server, address: string): Promise<number> {
  tcp.listen(0, address);
  await once(tcp, "listening");
  const bound = tcp.address();
  if (bound === null || typeof bound === "string") throw new Error("not bound");
  udp.bind(bound.port, address);
  await once(udp, "listening");
  return bound.port;
}

function serveUdp(udp: Socket, query: Buffer, from: RemoteInfo, behave: Behaviour, asked: Upstream["asked"]): void {
  asked.push({ transport: "udp", id: query.readUInt16BE(0), port: from.port });
  const answers = behave(query, "udp");
  if (answers !== "close") for (const answer of answers) udp.send(answer, from.port, from.address);
}

function serveTcp(socket: TcpSocket, behave: Behaviour, asked: Upstream["asked"]): void {
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    const query = chunk.subarray(2);
    asked.push({ transport: "tcp", id: query.readUInt16BE(0), port: socket.remotePort ?? 0 });
    const answers = behave(query, "tcp");
    if (answers === "close") return void socket.destroy();
    for (const answer of answers) {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      socket.write(length);
      socket.write(answer);
    }
    return undefined;
  });
}
