import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, isIPv6 } from "node:net";
import type { HeldPort, PortRefusal } from "#host";

/** What a slot of the shim's does with a container's ports, by sockets of the test: it holds them, and relays nothing. */
export class PortSockets {
  #sockets: AsyncDisposable[] = [];

  /** As `MonitorSlot.holdPorts`. */
  async hold(ports: readonly HeldPort[]): Promise<PortRefusal | undefined> {
    await this.close();
    for (const [index, port] of ports.entries()) {
      try {
        if (port.protocol === "tcp") this.#sockets.push(await bindTcp(port));
        if (port.protocol === "udp") this.#sockets.push(await bindUdp(port));
      } catch (error) {
        await this.close();
        const { code = "", message } = error as NodeJS.ErrnoException;
        return { index, code, text: message };
      }
    }
    return undefined;
  }

  async close(): Promise<void> {
    await Promise.all(this.#sockets.splice(0).map(async (socket) => await socket[Symbol.asyncDispose]()));
  }
}

async function bindTcp({ hostIp, hostPort }: HeldPort): Promise<AsyncDisposable> {
  const server = createServer((connection) => connection.destroy());
  server.listen({ host: hostIp, port: hostPort, exclusive: true, ipv6Only: isIPv6(hostIp) });
  await once(server, "listening");
  server.unref();
  return {
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
    },
  };
}

async function bindUdp({ hostIp, hostPort }: HeldPort): Promise<AsyncDisposable> {
  const socket = createSocket(isIPv6(hostIp) ? { type: "udp6", ipv6Only: true } : { type: "udp4" });
  socket.bind({ address: hostIp, port: hostPort, exclusive: true });
  await once(socket, "listening");
  socket.unref();
  return {
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, "close");
    },
  };
}
