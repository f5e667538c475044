import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Shim } from "#host";
import { openUnixDatagrams } from "./unix-datagrams.ts";
import type { LogConnection, LogDriver, TargetLine } from "./log-driver.ts";
import { showAddress, StreamConnection } from "./stream-connection.ts";
import { frameMessage, type SyslogSender, syslogMessage } from "./syslog-message.ts";
import type { SyslogAddress, SyslogOptions } from "./syslog-options.ts";

/** Nobody confirms a syslog message: on a stream what was written in the last second before it broke is sent again. */
const settleMs = 1000;

/** The driver for a syslog daemon, here or elsewhere. */
export function syslogDriver(
  options: SyslogOptions,
  sender: SyslogSender,
  tools: { readonly shim: Pick<Shim, "run">; readonly shimPath: string },
): LogDriver {
  const { address } = options;
  const isStream = address.kind === "tcp" || address.kind === "tls" || address.kind === "unix";
  const frame = (line: TargetLine): Buffer => frameMessage(syslogMessage(sender, line), options);
  return {
    target: `syslog at ${showSyslogAddress(address)}`,
    batchBytes: 262_144,
    settleMs: isStream ? settleMs : 0,
    firstWaitMs: 250,
    maxRetries: undefined,
    open: async (_state, signal) => {
      if (address.kind === "udp") return await openUdp(address, frame);
      if (address.kind === "unixgram") return await openUnixDatagrams({ ...tools, path: address.path }, frame, signal);
      return streamed(await StreamConnection.open(address, signal), frame);
    },
  };
}

function showSyslogAddress(address: SyslogAddress): string {
  if (address.kind === "unixgram") return `unixgram://${address.path}`;
  if (address.kind === "tls") return showAddress(address).replace(/^tls/, "tcp+tls");
  return address.kind === "udp"
    ? showAddress({ ...address, kind: "tcp" }).replace(/^tcp/, "udp")
    : showAddress(address);
}

function streamed(connection: StreamConnection, frame: (line: TargetLine) => Buffer): LogConnection {
  return {
    over: connection.over,
    send: async (lines) => {
      await connection.write(Buffer.concat(lines.map(frame)));
      return "";
    },
    end: async () => await connection.end(),
    destroy: () => connection.destroy(),
  };
}

/** Datagrams that nobody takes are lost without a word: that is what UDP is. */
async function openUdp(
  { host, port }: { readonly host: string; readonly port: number },
  frame: (line: TargetLine) => Buffer,
): Promise<LogConnection> {
  const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
  socket.unref();
  const { promise: over, resolve } = Promise.withResolvers<void>();
  socket.once("close", () => resolve());
  socket.on("error", () => close(socket));
  return {
    over,
    send: async (lines) => {
      for (const line of lines) await sendDatagram(socket, frame(line), host, port);
      return "";
    },
    end: async () => {
      close(socket);
      await over;
      return true;
    },
    destroy: () => close(socket),
  };
}

async function sendDatagram(socket: Socket, bytes: Buffer, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) =>
    socket.send(bytes.subarray(0, mostDatagramBytes), port, host, (error) =>
      error === null ? resolve() : reject(error),
    ),
  );
}

const mostDatagramBytes = 65_507;

function close(socket: Socket): void {
  try {
    socket.close();
  } catch {
    // closed already
  }
}
