import { fitAnswer, isTruncated, type Query, rcodeOf, type Transport, withId } from "./packets.ts";
import type { Server, Upstreams } from "./resolv-conf.ts";
import { askServer } from "./upstreams.ts";

/** Codes after which another server may know better: SERVFAIL, REFUSED. */
const nextServerCodes: ReadonlySet<number> = new Set([2, 5]);
/** Nobody waits longer, however many servers there are. */
const maxTotalMs = 20_000;

/** Asks servers outside; the same question to the same servers at the same time is asked once. */
export class Forwarder {
  readonly #underWay = new Map<string, Promise<Buffer | undefined>>();

  /** The first server's answer that is no failure, as the asker can take it; undefined when there is none. */
  async ask(query: Query, transport: Transport, upstreams: Upstreams): Promise<Buffer | undefined> {
    const key = keyOf(query.message, transport, upstreams);
    const shared = this.#underWay.get(key) ?? this.#start(key, query.message, transport, upstreams);
    const answer = await shared;
    if (answer === undefined) return undefined;
    return fitAnswer(query, transport, withId(answer, query.message.readUInt16BE(0)));
  }

  async #start(key: string, message: Buffer, transport: Transport, upstreams: Upstreams): Promise<Buffer | undefined> {
    const asking = askInOrder(message, transport, upstreams);
    this.#underWay.set(key, asking);
    try {
      return await asking;
    } finally {
      this.#underWay.delete(key);
    }
  }
}

/** All that decides the answer: the servers, the way, and every bit of the message but its id. */
function keyOf(message: Buffer, transport: Transport, { servers }: Upstreams): string {
  const names = servers.map(({ address, port }) => `${address}#${port}`);
  return `${transport} ${names.join(" ")} ${message.toString("latin1", 2)}`;
}

async function askInOrder(
  message: Buffer,
  transport: Transport,
  { servers, timeoutMs, attempts }: Upstreams,
): Promise<Buffer | undefined> {
  const endMs = performance.now() + maxTotalMs;
  for (let attempt = 0; attempt < attempts; attempt++) {
    for (const server of servers) {
      const limitMs = Math.min(timeoutMs, endMs - performance.now());
      if (limitMs <= 0) return undefined;
      const answer = await askOne(server, message, transport, limitMs);
      if (answer !== undefined && !nextServerCodes.has(rcodeOf(answer))) return answer;
    }
  }
  return undefined;
}

/** Who asks by TCP is answered by TCP; a server that has none may still answer in one datagram. */
async function askOne(
  server: Server,
  message: Buffer,
  transport: Transport,
  limitMs: number,
): Promise<Buffer | undefined> {
  const started = performance.now();
  const answer = await askServer(server, transport, message, limitMs);
  const leftMs = limitMs - (performance.now() - started);
  if (answer !== undefined || transport === "udp" || leftMs <= 0) return answer;
  const small = await askServer(server, "udp", message, leftMs);
  return small === undefined || isTruncated(small) ? undefined : small;
}
