import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { createSocket, type Socket as Datagrams } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { takeSlotsNetwork } from "./names-bed.ts";
import type { HeldPort, Monitor } from "./shim-types.ts";
import type { TestBed } from "./test-bed.ts";

const mark = "SLIPWAY_TEST_OWN_NETWORK";

/** For tests only: runs the file again in a network namespace of its own; false in the outer run, which must then register nothing. */
export function insideOwnNetwork(fileUrl: string): boolean {
  if (process.env[mark] === "1") {
    execFileSync("ip", ["link", "set", "lo", "up"]);
    return true;
  }
  const file = fileURLToPath(fileUrl);
  void test(`${file.split("/").at(-1)}: in a network namespace of its own`, async () => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = spawn("unshare", ["--net", "--mount", process.execPath, "--test-reporter=spec", file], {
      env: { ...env, [mark]: "1" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(child, "close")) as [number | null];
    assert.equal(code, 0, output);
  });
  return false;
}

/** A container with a link to the host: here 10.66.0.1 and fd66::1, there 10.66.0.2 and fd66::2, with a server (see `serverScript`). */
export interface Serving extends AsyncDisposable {
  readonly monitor: Monitor;
  readonly monitorPid: number;
  readonly id: string;
  readonly dir: string;
  /** What the server says of itself. */
  readonly server: ChildProcess;
}

/** Starts one that holds these ports. */
export async function serve(bed: TestBed, ports: readonly HeldPort[]): Promise<Serving> {
  const start = await bed.container(["sleep", "1000"]);
  await takeSlotsNetwork(join(start.dir, "config.json"));
  await using undo = new AsyncDisposableStack();
  const slot = undo.use(await bed.shim.prepareMonitor({ newNetns: true }));
  link(slot.pid);
  // The kernel may have removed it already, with the namespace of its other end.
  undo.defer(() => void spawnSync("ip", ["link", "delete", "host0"]));
  assert.equal(await slot.holdPorts(ports), undefined);
  const server = spawn("nsenter", [`--net=/proc/${slot.pid}/ns/net`, process.execPath, "-e", serverScript], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  undo.defer(async () => {
    server.kill("SIGKILL");
    await once(server, "exit");
  });
  await once(server.stdout, "data");
  const { monitor } = await slot.start(start);
  undo.defer(async () => {
    await monitor.signal(9).catch(() => undefined);
    await monitor.gone;
  });
  const held = undo.move();
  return {
    monitor,
    monitorPid: slot.pid,
    id: start.id,
    dir: start.dir,
    server,
    [Symbol.asyncDispose]: async () => await held.disposeAsync(),
  };
}

function link(pid: number): void {
  const lines = [
    `link add host0 type veth peer name eth0 netns ${pid}`,
    "address add 10.66.0.1/24 dev host0",
    "address add fd66::1/64 dev host0 nodad",
    "link set host0 up",
  ];
  const inside = [
    "address add 10.66.0.2/24 dev eth0",
    "address add fd66::2/64 dev eth0 nodad",
    "link set eth0 up",
    "route add default via 10.66.0.1",
  ];
  execFileSync("ip", ["-batch", "-"], { input: lines.join("\n") });
  execFileSync("nsenter", [`--net=/proc/${pid}/ns/net`, "ip", "-batch", "-"], { input: inside.join("\n") });
}

/**
 * 80 greets the client by its address and ends (and so by UDP); 81 echoes and ends when the client does; 82 begins to read
 * after a second, and tells how many bytes there were; 83 resets the connection at the first byte; 84 prints how connections end.
 */
const serverScript = `
  const { createServer } = require("node:net");
  const listen = (port, serve) => createServer({ allowHalfOpen: true }, (s) => serve(s.on("error", () => {}))).listen(port, "::");
  const shown = (address) => address.replace("::ffff:", "");
  listen(80, (s) => s.resume().end("hello " + shown(s.remoteAddress)));
  listen(81, (s) => s.pipe(s));
  listen(82, (s) => {
    let bytes = 0;
    s.pause().on("data", (chunk) => (bytes += chunk.length)).on("end", () => s.end(String(bytes)));
    setTimeout(() => s.resume(), 1000);
  });
  listen(83, (s) => s.on("data", () => s.resetAndDestroy()));
  listen(84, (s) => s.resume().on("end", () => console.log("ended")).on("error", (error) => console.log(error.code)));
  const udp = require("node:dgram").createSocket("udp6");
  udp.on("message", (message, from) => udp.send(message + " " + shown(from.address), from.port, from.address));
  udp.bind(80, "::", () => console.log("ready"));
`;

/** All that a TCP server says to the bytes, which are followed by our end; or the error's code. */
export async function askTcp(host: string, port: number, bytes: string | Uint8Array = ""): Promise<string> {
  const socket = connect({ host, port, allowHalfOpen: true });
  const answer = answerOf(socket);
  socket.end(bytes);
  return await answer;
}

/** What comes until the end, or the error's code; `ETIMEDOUT` after ten seconds without a word. */
export async function answerOf(socket: Socket): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const pieces: Buffer[] = [];
  socket
    .setTimeout(10_000, () => resolve("ETIMEDOUT"))
    .on("data", (chunk: Buffer) => pieces.push(chunk))
    .on("end", () => resolve(Buffer.concat(pieces).toString()))
    .on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
  const answer = await promise;
  socket.destroy();
  return answer;
}

/** A UDP client that hears that address and port alone. */
export async function talkTo(host: string, port: number): Promise<Datagrams> {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  socket.connect(port, host);
  await once(socket, "connect");
  return socket;
}

/** The answer to one datagram; undefined after two seconds. */
export async function askUdp(socket: Datagrams, text: string): Promise<string | undefined> {
  const heard = once(socket, "message").then(([message]) => String(message));
  socket.send(text);
  return await Promise.race([heard, sleep(2000, undefined)]);
}

/** Whether a program could listen there now. */
export async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  server.once("error", () => resolve(false)).once("listening", () => resolve(true));
  server.listen({ host, port, ipv6Only: host.includes(":") });
  const free = await promise;
  if (free) {
    server.close();
    await once(server, "close");
  }
  return free;
}
