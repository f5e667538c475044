import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import { Fault } from "#core/fault";
import { parseAddress } from "../addresses/address.ts";
import { holdServer, noHarm } from "../held-server.ts";
import type { PortRequest, PublishedPort } from "../networks.ts";

/** A port of the host that is ours until it is disposed; of the same number on each of its addresses. */
export interface PortHold extends AsyncDisposable {
  readonly ports: readonly PublishedPort[];
}

/** Which families a container can be reached by. */
export interface Families {
  readonly ipv4: boolean;
  readonly ipv6: boolean;
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
  async hold(request: PortRequest, target: string, families: Families): Promise<PortHold> {
    const { protocol, containerPort } = request;
    const addresses = hostAddressesOf(request, families);
    let failure = new Fault("internal", "all ports are allocated");
    for (const hostPort of this.#candidates(request)) {
      const ports = addresses.map((hostIp) => ({ protocol, containerPort, hostIp, hostPort }));
      const taken = ports.find((port) => !this.#isFree(port));
      if (taken !== undefined) {
        failure = new Fault(
          "internal",
          `Bind for ${shownAt(taken.hostIp, hostPort)} failed: port is already allocated`,
          {
            remedy: "Another container publishes it: choose another host port, or stop that container.",
          },
        );
        continue;
      }
      try {
        return await this.#bindAll(ports, target);
      } catch (error) {
        if (!(error instanceof BindFailure)) throw error;
        failure = error.fault;
        if (!error.inUse) throw failure;
      }
    }
    throw failure;
  }

  /** Takes the very ports that a running container publishes; also when another program has bound one meanwhile, as its traffic comes to us all the same. */
  async holdAgain(ports: readonly PublishedPort[]): Promise<PortHold> {
    for (const port of ports) this.#claim(port);
    const sockets = await Promise.all(ports.map(async (port) => await bind(port).catch(() => undefined)));
    return this.#held(ports, sockets);
  }

  async #bindAll(ports: readonly PublishedPort[], target: string): Promise<PortHold> {
    await using undo = new AsyncDisposableStack();
    const sockets: AsyncDisposable[] = [];
    for (const port of ports) {
      this.#claim(port);
      undo.defer(() => this.#unclaim(port));
      try {
        sockets.push(undo.use(await bind(port)));
      } catch (error) {
        throw new BindFailure(bindFault(error, `${shownAt(port.hostIp, port.hostPort)}:${target}`), codeOf(error));
      }
    }
    undo.move();
    return this.#held(ports, sockets);
  }

  #held(ports: readonly PublishedPort[], sockets: readonly (AsyncDisposable | undefined)[]): PortHold {
    return {
      ports,
      [Symbol.asyncDispose]: async () => {
        for (const port of ports) this.#unclaim(port);
        await Promise.all(sockets.map(async (socket) => await socket?.[Symbol.asyncDispose]()));
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

  #isFree({ protocol, hostIp, hostPort }: PublishedPort): boolean {
    const every = everyAddressOf(hostIp);
    const addresses = this.#taken.get(`${protocol}:${hostPort}`) ?? new Set();
    if (addresses.has(every) || addresses.has(hostIp)) return false;
    return hostIp !== every || ![...addresses].some((address) => everyAddressOf(address) === every);
  }

  #claim({ protocol, hostIp, hostPort }: PublishedPort): void {
    const key = `${protocol}:${hostPort}`;
    this.#taken.set(key, (this.#taken.get(key) ?? new Set()).add(hostIp));
  }

  #unclaim({ protocol, hostIp, hostPort }: PublishedPort): void {
    const key = `${protocol}:${hostPort}`;
    const addresses = this.#taken.get(key);
    addresses?.delete(hostIp);
    if (addresses?.size === 0) this.#taken.delete(key);
  }
}

/** Why a port could not be bound; another one may do when it was only in use. */
class BindFailure extends Error {
  readonly fault: Fault;
  readonly inUse: boolean;

  constructor(fault: Fault, code: unknown) {
    super(fault.message);
    this.fault = fault;
    this.inUse = code === "EADDRINUSE";
  }
}

/** Without an address: all of those families that lead to the container. */
function hostAddressesOf({ hostIp }: PortRequest, { ipv4, ipv6 }: Families): string[] {
  if (hostIp === "") return [...(ipv4 || !ipv6 ? ["0.0.0.0"] : []), ...(ipv6 ? ["::"] : [])];
  // Else a name would be looked up.
  if (parseAddress(hostIp) === undefined) throw new Fault("invalid", `invalid IP address: ${hostIp}`);
  const [family, other, reaches] = isIPv6(hostIp) ? [6, 4, ipv6] : [4, 6, ipv4];
  if (reaches) return [hostIp];
  throw new Fault(
    "invalid",
    `cannot publish on the IPv${family} address ${hostIp}: the container has no IPv${family} address`,
    {
      remedy: `Put it into a network with IPv${family}, or publish on an IPv${other} address.`,
    },
  );
}

function everyAddressOf(address: string): string {
  return address.includes(":") ? "::" : "0.0.0.0";
}

function shownAt(hostIp: string, hostPort: number): string {
  return hostIp.includes(":") ? `[${hostIp}]:${hostPort}` : `${hostIp}:${hostPort}`;
}

/** Node has no SCTP: such a port is held in our own books alone. */
async function bind(port: PublishedPort): Promise<AsyncDisposable> {
  if (port.protocol === "sctp") return { [Symbol.asyncDispose]: async () => {} };
  return port.protocol === "tcp" ? await bindTcp(port) : await bindUdp(port);
}

/** The kernel gives a TCP port to nobody else only while it listens; the ruleset leads all connections away from here. */
async function bindTcp({ hostIp, hostPort }: PublishedPort): Promise<AsyncDisposable> {
  return await holdServer({ host: hostIp, port: hostPort, backlog: 1, exclusive: true, ipv6Only: isIPv6(hostIp) });
}

async function bindUdp({ hostIp, hostPort }: PublishedPort): Promise<AsyncDisposable> {
  const socket = createSocket(isIPv6(hostIp) ? { type: "udp6", ipv6Only: true } : { type: "udp4" }).on("error", noHarm);
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
