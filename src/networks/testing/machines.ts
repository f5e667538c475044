import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8" });
}

/** A network namespace with nothing but its loopback, for as long as it is not disposed. */
export async function openNamespace(): Promise<{ readonly pid: number } & AsyncDisposable> {
  const child = spawn("unshare", ["--net", "sh", "-c", "ip link set lo up; echo; exec cat"], { stdio: "pipe" });
  await once(child.stdout, "data");
  return { pid: child.pid ?? 0, [Symbol.asyncDispose]: async () => await stop(child) };
}

/**
 * Another machine beside this one: a namespace joined by a link; here 198.51.100.1 and
 * 2001:db8::1, there 198.51.100.2 and 2001:db8::2 on `out0`.
 */
export async function openNeighbour(): Promise<{ readonly pid: number } & AsyncDisposable> {
  const { pid, [Symbol.asyncDispose]: end } = await openNamespace();
  run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "out0", "netns", String(pid));
  run("ip", "address", "add", "198.51.100.1/24", "dev", "up0");
  run("ip", "address", "add", "2001:db8::1/64", "dev", "up0", "nodad");
  run("ip", "link", "set", "up0", "up");
  inNetns(pid, "ip", "address", "add", "198.51.100.2/24", "dev", "out0");
  inNetns(pid, "ip", "address", "add", "2001:db8::2/64", "dev", "out0", "nodad");
  inNetns(pid, "ip", "link", "set", "out0", "up");
  return {
    pid,
    [Symbol.asyncDispose]: async () => {
      run("ip", "link", "delete", "up0");
      await end();
    },
  };
}

export function inNetns(pid: number, ...command: readonly string[]): string {
  return run("nsenter", `--net=/proc/${pid}/ns/net`, ...command);
}

/** A program in a namespace that answers each TCP connection and UDP packet on the port with `hello` and the address it sees. */
export async function serve(pid: number, portNumber: number): Promise<AsyncDisposable> {
  const script = `
    const shown = (address) => address.replace("::ffff:", "");
    const tcp = require("net").createServer((s) => s.on("error", () => {}).end("hello " + shown(s.remoteAddress)));
    tcp.listen(${portNumber}, "::", () => {
      const u = require("dgram").createSocket("udp6");
      u.on("message", (_, from) => u.send("hello " + shown(from.address), from.port, from.address, () => {}));
      u.bind(${portNumber}, "::", () => console.log("ready"));
    })`;
  const child = spawn("nsenter", [`--net=/proc/${pid}/ns/net`, process.execPath, "-e", script], { stdio: "pipe" });
  await once(child.stdout, "data");
  return { [Symbol.asyncDispose]: async () => await stop(child) };
}

/** A program in a namespace that takes UDP packets on the port and answers none. */
export async function listenOnly(pid: number, portNumber: number): Promise<{ received(): number } & AsyncDisposable> {
  const script = `const u = require("dgram").createSocket("udp6");
    u.on("message", () => console.log("got")).bind(${portNumber}, "::", () => console.log("ready"))`;
  const child = spawn("nsenter", [`--net=/proc/${pid}/ns/net`, process.execPath, "-e", script], { stdio: "pipe" });
  await once(child.stdout, "data");
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return {
    received: () => output.split("got").length - 1,
    [Symbol.asyncDispose]: async () => await stop(child),
  };
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
  const socket = createSocket(udpOf(address)).on("message", (message) => resolve(message.toString()));
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
  const script = `const u = require("dgram").createSocket("${udpOf(address)}"); u.send("?", ${portNumber}, "${address}", () => {});
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

function udpOf(address: string): "udp4" | "udp6" {
  return address.includes(":") ? "udp6" : "udp4";
}

/** The addresses of an interface in a namespace, with their prefix lengths, in the kernel's order. */
export function addressesIn(pid: number, name: string): string[] {
  const [link] = JSON.parse(inNetns(pid, "ip", "-json", "address", "show", "dev", name)) as {
    addr_info: { local: string; prefixlen: number }[];
  }[];
  return (link?.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

/** Gateway and interface of the default routes in a namespace, IPv4 first. */
export function routesIn(pid: number): string[] {
  return ["-4", "-6"].flatMap((family) => {
    const text = inNetns(pid, "ip", "-json", family, "route", "show", "default").trim();
    const routes = (text === "" ? [] : JSON.parse(text)) as { gateway: string; dev: string }[];
    return routes.map(({ gateway, dev }) => `${gateway} ${dev}`);
  });
}
