import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, isIPv6 } from "node:net";
import { Fault } from "#core/fault";
import { parseAddress } from "./address.ts";
import type { PortRequest, PublishedPort } from "./networks.ts";

/** A port of the host that is ours until it is disposed. */
export interface PortHold extends AsyncDisposable {
  readonly port: PublishedPort;
}

/**
 * The host's ports that are published. Each is also held by a socket of the daemon, so that another program gets “address
 * in use” instead of a port on which nothing ever arrives, and we get it when another program was first.
 */
export class PortHolds {
  readonly #ephemeral: { readonly first: number; readonly last: number };
  /** Addresses by `tcp:8080`. */
  readonly #taken = new Map<string, Set<string>>();
  #next: number;

  /** @param ephemeral - where free ports are taken from (net.ipv4.ip_local_port_range) */
  constructor(ephemeral: { readonly first: number; readonly last: number }) {
    this.#ephemeral = ephemeral;
    this.#next = ephemeral.first;
  }

  /** Takes the first free port that the request allows. Faults `internal` in Docker's words: the port is allocated, in use, or the address is not this host's. */
  async hold(request: PortRequest, containerIp: string): Promise<PortHold> {
    const hostIp = hostAddressOf(request);
    const target = `${containerIp}:${request.containerPort}/${request.protocol}`;
    let failure = new Fault("internal", "all ports are allocated");
    for (const hostPort of this.#candidates(request)) {
      const port = { protocol: request.protocol, containerPort: request.containerPort, hostIp, hostPort };
      if (!this.#claim(port)) {
        failure = new Fault("internal", `Bind for ${hostIp}:${hostPort} failed: port is already allocated`, {
          remedy: "Another container publishes it: choose another host port, or stop that container.",
        });
        continue;
      }
      try {
        return this.#held(port, await bind(port));
      } catch (error) {
        this.#unclaim(port);
        failure = bindFault(error, `${hostIp}:${hostPort}:${target}`);
        if (codeOf(error) !== "EADDRINUSE") throw failure;
      }
    }
    throw failure;
  }

  /** Takes the very port that a running container publishes; also when another program has bound it meanwhile, as its traffic comes to us all the same. */
  async holdAgain(port: PublishedPort): Promise<PortHold> {
    this.#claim(port);
    const socket = await bind(port).catch(() => undefined);
    return this.#held(port, socket);
  }

  #held(port: PublishedPort, socket: AsyncDisposable | undefined): PortHold {
    return {
      port,
      [Symbol.asyncDispose]: async () => {
        this.#unclaim(port);
        await socket?.[Symbol.asyncDispose]();
      },
    };
  }

  *#candidates({ hostPort }: PortRequest): Generator<number> {
    if (hostPort.first !== 0) {
      for (let port = hostPort.first; port <= hostPort.last; port += 1) yield port;
      return;
    }
    const { first, last } = this.#ephemeral;
    for (let tries = last - first + 1; tries > 0; tries -= 1) {
      const port = this.#next;
      this.#next = port >= last ? first : port + 1;
      yield port;
    }
  }

  #claim({ protocol, hostIp, hostPort }: PublishedPort): boolean {
    const key = `${protocol}:${hostPort}`;
    const addresses = this.#taken.get(key) ?? new Set();
    if (addresses.has(everyAddress) || addresses.has(hostIp) || (hostIp === everyAddress && addresses.size > 0)) {
      return false;
    }
    this.#taken.set(key, addresses.add(hostIp));
    return true;
  }

  #unclaim({ protocol, hostIp, hostPort }: PublishedPort): void {
    const key = `${protocol}:${hostPort}`;
    const addresses = this.#taken.get(key);
    addresses?.delete(hostIp);
    if (addresses?.size === 0) this.#taken.delete(key);
  }
}

const everyAddress = "0.0.0.0";

function hostAddressOf({ hostIp, protocol, containerPort }: PortRequest): string {
  if (hostIp === "") return everyAddress;
  // Else a name would be looked up.
  if (parseAddress(hostIp) !== undefined) return hostIp;
  if (!isIPv6(hostIp)) throw new Fault("invalid", `invalid IP address: ${hostIp}`);
  throw new Fault(
    "unsupported",
    `publishing ${containerPort}/${protocol} on the IPv6 address ${hostIp} is not supported yet`,
    {
      remedy: "Publish it on an IPv4 address of the host, or on all of them by naming none.",
    },
  );
}

async function bind(port: PublishedPort): Promise<AsyncDisposable> {
  return port.protocol === "tcp" ? await bindTcp(port) : await bindUdp(port);
}

/** The kernel gives a TCP port to nobody else only while it listens; the ruleset leads all connections away from here. */
async function bindTcp({ hostIp, hostPort }: PublishedPort): Promise<AsyncDisposable> {
  const server = createServer((connection) => connection.destroy()).on("error", noHarm);
  server.listen({ host: hostIp, port: hostPort, backlog: 1, exclusive: true });
  await once(server, "listening");
  server.unref();
  return {
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
    },
  };
}

async function bindUdp({ hostIp, hostPort }: PublishedPort): Promise<AsyncDisposable> {
  const socket = createSocket({ type: "udp4" }).on("error", noHarm);
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

/** A failure of the first bind rejects `once`; what comes later (too many files, an ICMP answer) concerns nobody. */
function noHarm(): void {}

function bindFault(error: unknown, mapping: string): Fault {
  const message = `failed to bind host port for ${mapping}`;
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return new Fault("internal", `${message}: address already in use`, {
        cause: error,
        remedy: "Another program on this host listens there: choose another host port, or stop that program.",
      });
    case "EADDRNOTAVAIL":
      return new Fault("internal", `${message}: cannot assign requested address`, {
        cause: error,
        remedy: "That address is not one of this host's: see `ip address`.",
      });
    default:
      return new Fault("internal", `${message}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
