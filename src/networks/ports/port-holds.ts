import assert from "node:assert/strict";
import { isIPv6 } from "node:net";
import { Fault } from "#core/fault";
import type { PortRefusal } from "#host";
import { parseAddress } from "../addresses/address.ts";
import type { PortRequest, PublishedPort } from "../networks.ts";

/** Ports of the host that are a container's until it is disposed. */
export interface PortHold extends Disposable {
  readonly ports: readonly PublishedPort[];
}

/** How a container can be reached; undefined: not by that family. */
export interface Reach {
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
  /** Whether the host itself has IPv6. */
  readonly hostHasIpv6: boolean;
}

/** Binds the ports of a container, all or none; answers which one was refused. */
export type BindPorts = (ports: readonly PublishedPort[]) => Promise<PortRefusal | undefined>;

/**
 * The book of the host's published ports, so that no two containers are given the same one. The sockets that keep other
 * programs away are the monitors': they live and die with their containers.
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

  /** Takes the first free ports that the requests allow. Faults `internal` in Docker's words: a port is allocated, in use, or the address is not this host's. */
  async hold(requests: readonly PortRequest[], reach: Reach, bind: BindPorts): Promise<PortHold> {
    const choices = requests.map((request) => new Choice(request, reach, this.#candidates(request)));
    using undo = new DisposableStack();
    undo.defer(() => {
      for (const choice of choices) this.#unclaim(choice.ports);
    });
    for (const choice of choices) this.#choose(choice);
    for (;;) {
      const ports = choices.flatMap((choice) => choice.ports);
      const refusal = await bind(ports);
      if (refusal === undefined) {
        undo.move();
        return this.#held(ports);
      }
      const refused = ports[refusal.index];
      const choice = choices.find((each) => refused !== undefined && each.ports.includes(refused));
      assert(refused !== undefined && choice !== undefined, "a port was refused that nobody asked for");
      choice.failure = bindFault(refusal, `${shownAt(refused)}:${shownTarget(refused, reach)}`);
      if (refusal.code !== "EADDRINUSE") throw choice.failure;
      this.#unclaim(choice.ports);
      choice.ports = [];
      this.#choose(choice);
    }
  }

  /** Notes the very ports that a running container publishes. */
  holdAgain(ports: readonly PublishedPort[]): PortHold {
    for (const port of ports) this.#claim(port);
    return this.#held(ports);
  }

  /** Claims the next candidate that no other container has. */
  #choose(choice: Choice): void {
    for (const hostPort of choice.candidates) {
      const ports = choice.portsAt(hostPort);
      const taken = ports.find((port) => !this.#isFree(port));
      if (taken === undefined) {
        for (const port of ports) this.#claim(port);
        choice.ports = ports;
        return;
      }
      choice.failure = new Fault("internal", `Bind for ${shownAt(taken)} failed: port is already allocated`, {
        remedy: "Another container publishes it: choose another host port, or stop that container.",
      });
    }
    throw choice.failure;
  }

  #held(ports: readonly PublishedPort[]): PortHold {
    return { ports, [Symbol.dispose]: () => this.#unclaim(ports) };
  }

  /** Goes on where it stopped: the caller may come back for the next one. */
  *#candidates({ hostPort }: PortRequest): Generator<number, void> {
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

  #unclaim(ports: readonly PublishedPort[]): void {
    for (const { protocol, hostIp, hostPort } of ports) {
      const key = `${protocol}:${hostPort}`;
      const addresses = this.#taken.get(key);
      addresses?.delete(hostIp);
      if (addresses?.size === 0) this.#taken.delete(key);
    }
  }
}

/** What has been chosen for one request, and what is left to try: one number on all of its addresses. */
class Choice {
  readonly candidates: Iterable<number>;
  ports: readonly PublishedPort[] = [];
  failure = new Fault("internal", "all ports are allocated");
  readonly #request: PortRequest;
  readonly #addresses: readonly string[];

  constructor(request: PortRequest, reach: Reach, candidates: Generator<number, void>) {
    this.#request = request;
    this.#addresses = hostAddressesOf(request, reach);
    // A loop over the generator itself would end it with its first `return`.
    this.candidates = { [Symbol.iterator]: () => ({ next: () => candidates.next() }) };
  }

  portsAt(hostPort: number): PublishedPort[] {
    const { protocol, containerPort, exposed = false } = this.#request;
    const port = { protocol, containerPort, hostPort, ...(exposed && { exposed }) };
    return this.#addresses.map((hostIp) => ({ ...port, hostIp }));
  }
}

/** Without an address: all IPv4 ones that lead to the container, and all IPv6 ones, be it that its monitor must relay. */
function hostAddressesOf({ hostIp, protocol }: PortRequest, { ipv4, ipv6, hostHasIpv6 }: Reach): string[] {
  // SCTP nobody can relay.
  const reachesBy6 = ipv6 !== undefined || (ipv4 !== undefined && protocol !== "sctp");
  if (hostIp === "") {
    const by6 = reachesBy6 && hostHasIpv6;
    return [...(ipv4 !== undefined || !by6 ? ["0.0.0.0"] : []), ...(by6 ? ["::"] : [])];
  }
  // Else a name would be looked up.
  if (parseAddress(hostIp) === undefined) throw new Fault("invalid", `invalid IP address: ${hostIp}`);
  const [family, other, reaches] = isIPv6(hostIp) ? [6, 4, reachesBy6] : [4, 6, ipv4 !== undefined];
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

function shownAt({ hostIp, hostPort }: PublishedPort): string {
  return `${bracketed(hostIp)}:${hostPort}`;
}

function shownTarget({ hostIp, containerPort, protocol }: PublishedPort, { ipv4, ipv6 }: Reach): string {
  const address = isIPv6(hostIp) ? (ipv6 ?? ipv4) : ipv4;
  return `${bracketed(address ?? "")}:${containerPort}/${protocol}`;
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

function bindFault({ code, text }: PortRefusal, mapping: string): Fault {
  const message = `failed to bind host port for ${mapping}`;
  switch (code) {
    case "EADDRINUSE":
      return new Fault("internal", `${message}: address already in use`, {
        remedy: "Another program on this host listens there: choose another host port, or stop that program.",
      });
    case "EADDRNOTAVAIL":
      return new Fault("internal", `${message}: cannot assign requested address`, {
        remedy: "That address is not one of this host's: see `ip address`.",
      });
    default:
      return new Fault("internal", `${message}: ${text}`);
  }
}
