import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "#core/clock";
import type { Event } from "#core/event";
import type { Machine, Shim } from "#host";
import type { Attachment, Networks, NetworksOptions, PortRequest } from "../networks.ts";
import { openNetworks } from "../open.ts";
import { ChildShim, scratchDatabase } from "./child-shim.ts";

/** The rooms' door over a scratch database in the test's own network namespace, and what to poke it with. */
export interface Lab extends AsyncDisposable {
  readonly networks: Networks;
  readonly shim: ChildShim;
  readonly events: Omit<Event, "timeNs">[];
  /** Closes the door and opens it again over the same records, as a restarted daemon does. */
  reopen(): Promise<void>;
  attach(containerId: string, ports?: readonly PortRequest[]): Promise<Attachment>;
}

/** What a test may choose. */
export interface LabOptions extends Partial<NetworksOptions> {
  readonly instance?: string;
  readonly databasePath?: string;
  /** What `openLab` compares with in the end, when that is not what it finds. */
  readonly before?: ReturnType<typeof hostState>;
}

/** Opens a lab; disposing it releases all containers, closes the room and checks that links and tables are what they were before. */
export async function openLab(options: LabOptions = {}): Promise<Lab> {
  const before = options.before ?? hostState();
  const shim = new ChildShim();
  const events: Omit<Event, "timeNs">[] = [];
  const database = scratchDatabase(options.databasePath);
  const open = async (): Promise<Networks> =>
    await openNetworks({
      database,
      shim: shim as unknown as Shim,
      machine: fakeMachine(),
      paths: { dataRoot: "/nowhere", execRoot: "/nowhere", instance: options.instance ?? "slipway-0a1b2c" },
      clock: systemClock,
      events: { emit: (event) => events.push(event) },
      mtu: 1500,
      warmSlots: 2,
      ...options,
    });
  let networks = await open();
  return {
    get networks() {
      return networks;
    },
    shim,
    events,
    reopen: async () => {
      await networks.close();
      networks = await open();
    },
    attach: async (containerId, ports = []) => await networks.attach(requestOf(containerId, ports), neverAborted),
    [Symbol.asyncDispose]: async () => {
      const left = networks.list().flatMap(({ id }) => networks.endpointsOf(id));
      for (const { containerId } of left) await networks.release(containerId);
      await networks.close();
      await shim.endSlots([]);
      await assertSameSoon(before);
    },
  };
}

/** An attach request for the default bridge. */
export function requestOf(containerId: string, ports: readonly PortRequest[] = []): Parameters<Networks["attach"]>[0] {
  return { containerId, containerName: `name-of-${containerId}`, mode: { kind: "network", name: "bridge" }, ports };
}

/** `-p 8080:80` and its like. */
export function port(protocol: "tcp" | "udp", hostPort: number, containerPort: number, hostIp = ""): PortRequest {
  return { protocol, containerPort, hostIp, hostPort: { first: hostPort, last: hostPort } };
}

export const neverAborted = new AbortController().signal;

/** Names of links and nftables tables of this network namespace. */
export function hostState(): { readonly links: string[]; readonly tables: string } {
  const links = JSON.parse(run("ip", "-json", "link", "show")) as { ifname: string }[];
  return { links: links.map(({ ifname }) => ifname).sort(), tables: run("nft", "list", "tables") };
}

/** Waits up to two seconds for the host to look as before: the kernel removes namespaces in its own time. */
export async function assertSameSoon(before: ReturnType<typeof hostState>): Promise<void> {
  for (let tries = 0; tries < 100 && JSON.stringify(hostState()) !== JSON.stringify(before); tries += 1)
    await sleep(20);
  assert.deepEqual(hostState(), before);
}

export function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8" });
}

/** Another machine beside this one: a namespace joined by a link; here 198.51.100.1, there 198.51.100.2 on `out0`. */
export async function openNeighbour(): Promise<{ readonly pid: number } & AsyncDisposable> {
  const child = spawn("unshare", ["--net", "sh", "-c", "ip link set lo up; echo; exec cat"], { stdio: "pipe" });
  await once(child.stdout, "data");
  const pid = child.pid ?? 0;
  run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "out0", "netns", String(pid));
  run("ip", "address", "add", "198.51.100.1/24", "dev", "up0");
  run("ip", "link", "set", "up0", "up");
  inNetns(pid, "ip", "address", "add", "198.51.100.2/24", "dev", "out0");
  inNetns(pid, "ip", "link", "set", "out0", "up");
  return {
    pid,
    [Symbol.asyncDispose]: async () => {
      run("ip", "link", "delete", "up0");
      await stop(child);
    },
  };
}

export function inNetns(pid: number, ...command: readonly string[]): string {
  return run("nsenter", `--net=/proc/${pid}/ns/net`, ...command);
}

/** A program in a namespace that answers each TCP connection and UDP packet on the port with `hello` and the address it sees. */
export async function serve(pid: number, portNumber: number): Promise<AsyncDisposable> {
  const script = `
    require("net").createServer((s) => s.on("error", () => {}).end("hello " + s.remoteAddress)).listen(${portNumber}, "0.0.0.0", () => {
      const u = require("dgram").createSocket("udp4");
      u.on("message", (_, from) => u.send("hello " + from.address, from.port, from.address));
      u.bind(${portNumber}, "0.0.0.0", () => console.log("ready"));
    })`;
  const child = spawn("nsenter", [`--net=/proc/${pid}/ns/net`, process.execPath, "-e", script], { stdio: "pipe" });
  await once(child.stdout, "data");
  return { [Symbol.asyncDispose]: async () => await stop(child) };
}

/** The answer of a TCP server, or the error's code (`ETIMEDOUT` after a second). */
export async function askTcp(address: string, portNumber: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let answer = "";
  const socket = connect({ host: address, port: portNumber })
    .setTimeout(1000, () => resolve("ETIMEDOUT"))
    .on("data", (chunk) => (answer += chunk.toString()))
    .on("end", () => resolve(answer))
    .on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

/** The answer of a UDP server, or `ETIMEDOUT`. */
export async function askUdp(address: string, portNumber: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = createSocket("udp4").on("message", (message) => resolve(message.toString()));
  socket.send("?", portNumber, address, () => undefined);
  const timer = setTimeout(() => resolve("ETIMEDOUT"), 1000);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}

/** `askTcp` from another namespace. */
export function askTcpFrom(pid: number, address: string, portNumber: number): string {
  const script = `const s = require("net").connect({ host: "${address}", port: ${portNumber} });
    s.setTimeout(1000, () => { console.log("ETIMEDOUT"); process.exit() });
    s.on("error", (e) => console.log(e.code)).pipe(process.stdout)`;
  return inNetns(pid, process.execPath, "-e", script).trim();
}

/** `askUdp` from another namespace. */
export function askUdpFrom(pid: number, address: string, portNumber: number): string {
  const script = `const u = require("dgram").createSocket("udp4"); u.send("?", ${portNumber}, "${address}");
    u.on("message", (m) => { console.log(String(m)); process.exit() });
    setTimeout(() => { console.log("ETIMEDOUT"); process.exit() }, 1000)`;
  return inNetns(pid, process.execPath, "-e", script).trim();
}

/** A client in a namespace that sends UDP packets from one port all the time. */
export async function talk(
  pid: number,
  address: string,
  portNumber: number,
): Promise<{ heard(): number; sent(): Promise<void> } & AsyncDisposable> {
  const script = `const u = require("dgram").createSocket("udp4"); u.bind(5555);
    u.on("message", () => console.log("answer"));
    setInterval(() => { u.send("?", ${portNumber}, "${address}"); console.log("sent") }, 20)`;
  const child = spawn("nsenter", [`--net=/proc/${pid}/ns/net`, process.execPath, "-e", script], { stdio: "pipe" });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const count = (word: string): number => output.split(word).length - 1;
  return {
    heard: () => count("answer"),
    // Ten more packets.
    sent: async () => {
      for (const before = count("sent"); count("sent") < before + 10;) await sleep(20);
    },
    [Symbol.asyncDispose]: async () => await stop(child),
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

function fakeMachine(): Machine {
  const facts: Pick<Machine, "ipv4Forwarding" | "resolvConf"> = {
    get ipv4Forwarding() {
      return readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim() === "1";
    },
    resolvConf: async () => await Promise.resolve("nameserver 192.0.2.53\n"),
  };
  return facts as Machine;
}
