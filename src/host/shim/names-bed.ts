import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readlinkSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Attachment, Monitor, MonitorStart, SlotNamespaces } from "./shim-types.ts";
import type { TestBed } from "./test-bed.ts";

/** For tests only: a resolver that speaks the records of shim/names.h. */
export class FakeResolver implements AsyncDisposable {
  /** The container ids of the connections that were made. */
  readonly hellos: string[] = [];
  readonly streams = new Set<Socket>();
  /** Called with each query; what it gives back is sent as the answer. Undefined: nothing. */
  answer: (query: Query, stream: Socket) => Uint8Array | undefined = ({ message }) => answerTo(message);
  readonly #server: Server;
  readonly #path: string;

  private constructor(server: Server, path: string) {
    this.#server = server;
    this.#path = path;
    server.on("connection", (stream) => this.#serve(stream));
  }

  static async listen(path: string): Promise<FakeResolver> {
    const server = createServer();
    server.listen(path);
    await once(server, "listening");
    return new FakeResolver(server, path);
  }

  /** As if killed: every connection breaks, and nobody listens any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of this.streams) stream.destroy();
    this.#server.close();
    await rm(this.#path, { force: true });
  }

  #serve(stream: Socket): void {
    let bytes = Buffer.alloc(0);
    let greeted = false;
    this.streams.add(stream);
    stream.on("error", () => undefined).on("close", () => this.streams.delete(stream));
    stream.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (!greeted && bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt8(4)) {
        const end = 5 + bytes.readUInt8(4);
        this.hellos.push(bytes.toString("latin1", 0, 4) + bytes.toString("latin1", 5, end));
        bytes = bytes.subarray(end);
        greeted = true;
      }
      if (greeted) bytes = bytes.subarray(this.#takeRecords(bytes, stream));
    });
  }

  #takeRecords(bytes: Buffer, stream: Socket): number {
    const answers: Uint8Array[] = [];
    let at = 0;
    while (bytes.length - at >= 8 && bytes.length - at >= 8 + bytes.readUInt16BE(at)) {
      const end = at + 8 + bytes.readUInt16BE(at);
      const query = { transport: bytes.readUInt8(at + 2), token: bytes.readUInt32BE(at + 4) };
      const message = this.answer({ ...query, message: bytes.subarray(at + 8, end) }, stream);
      if (message !== undefined) answers.push(record(query.transport, query.token, message));
      at = end;
    }
    if (answers.length > 0) stream.write(Buffer.concat(answers));
    return at;
  }
}

/** A record that came; transport 0 is UDP, 1 is TCP. */
export interface Query {
  readonly transport: number;
  readonly token: number;
  readonly message: Buffer;
}

/** What the fake resolver says to a query: the same, its first byte turned. */
export function answerTo(message: Uint8Array): Uint8Array {
  const answer = Buffer.from(message);
  answer[0] = (answer[0] ?? 0) ^ 0xff;
  return answer;
}

/** A record of the stream between monitor and resolver. */
export function record(transport: number, token: number, message: Uint8Array): Uint8Array {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(message.length, 0);
  head.writeUInt8(transport, 2);
  head.writeUInt32BE(token, 4);
  return Buffer.concat([head, message]);
}

/** What tests vary of a container that asks. */
export interface AskerOptions {
  readonly names?: string;
  readonly args?: readonly string[];
  readonly namespaces?: SlotNamespaces;
  readonly start?: Partial<MonitorStart>;
  /** Called with the slot's pid before the start. */
  readonly prepare?: (slotPid: number) => void;
}

/** A running container in its slot's network namespace; disposing it ends it and sees it gone. */
export interface Asker extends AsyncDisposable {
  readonly start: MonitorStart;
  readonly monitor: Monitor;
  readonly attachment: Attachment;
  readonly pid: number;
  readonly monitorPid: number;
}

/** Starts a container whose resolver is at the path `names`. */
export async function startAsker(bed: TestBed, options: AskerOptions): Promise<Asker> {
  const start: MonitorStart = {
    ...(await bed.container(options.args ?? ["sleep", "1000"])),
    ...(options.names === undefined ? {} : { names: options.names }),
    ...options.start,
  };
  await takeSlotsNetwork(join(start.dir, "config.json"));
  await using slot = await bed.shim.prepareMonitor(options.namespaces ?? { newNetns: true });
  options.prepare?.(slot.pid);
  let attachment: Attachment | undefined;
  const { monitor, pid } = await slot.start(start, async (held) => {
    attachment = await held.attach({ streams: ["stdout"], stdin: false, from: "now", throttle: false });
  });
  assert.ok(attachment !== undefined);
  const attached = attachment;
  assert.equal(readlinkSync(`/proc/${pid}/ns/net`), readlinkSync(`/proc/${slot.pid}/ns/net`));
  return {
    start,
    monitor,
    attachment: attached,
    pid,
    monitorPid: slot.pid,
    async [Symbol.asyncDispose]() {
      await attached[Symbol.asyncDispose]();
      await monitor.signal(9).catch(() => undefined);
      await monitor.gone;
      for (let i = 0; i < 200 && existsSync(`/proc/${slot.pid}`); i++) await sleep(10);
      assert.equal(existsSync(`/proc/${slot.pid}`), false);
    },
  };
}

interface Typed {
  readonly type: string;
}

/** Without an entry for it, the runtime leaves the container in the network of its monitor. */
export async function takeSlotsNetwork(configPath: string): Promise<void> {
  const config = JSON.parse(await readFile(configPath, "utf8")) as { linux: { namespaces: Typed[] }; mounts: Typed[] };
  config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "network");
  config.mounts = config.mounts.filter(({ type }) => type !== "sysfs"); // it would want that namespace to be its own
  await writeFile(configPath, JSON.stringify(config));
}
